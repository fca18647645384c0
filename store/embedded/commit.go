package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// Writes go through one goroutine, the committer. It takes all the writes that are waiting,
// puts them into one batch in the order of their arrival, and makes them durable with one
// fsync. So writes have one order, which decides between an addition and a removal of the
// same message; and a caller can stop waiting for a disk that hangs.

// write is one caller's part of a batch.
type write struct {
	// prepare adds to g.batch. It runs in the committer and must be quick.
	prepare func(g *group) error
	// alone asks that everything before it is already readable.
	alone bool
	// done gets the outcome; it has room for it.
	done chan error
}

// group is the writes that become durable together.
type group struct {
	db    *pebble.DB
	batch *pebble.Batch
	// removed holds the rows that writes of this group remove.
	removed map[rowKey]struct{}
	// stripes belong to those rows.
	stripes []*atomic.Uint64
}

// Bounds of one group, in writes and in octets.
const (
	maxGroup       = 256
	maxGroupOctets = 2 << 20
)

// commit hands w to the committer and waits for the outcome.
func (s *Store) commit(ctx context.Context, what string, w *write) error {
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	w.done = make(chan error, 1)
	select {
	case s.writes <- w:
	case <-ctx.Done():
		return contextErr(ctx, what)
	case <-s.closing:
		return translate(store.ErrClosed, what)
	}
	select {
	case err := <-w.done:
		return translate(err, what)
	case <-ctx.Done():
		return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrOutcomeUnknown, context.Cause(ctx))
	case <-s.committed:
		// The committer has ended. It may have answered first.
		select {
		case err := <-w.done:
			return translate(err, what)
		default:
			return translate(store.ErrClosed, what)
		}
	}
}

// committer runs until the store is closed. What was handed to it before is still done.
func (s *Store) committer() {
	defer close(s.committed)
	var held *write // taken from the channel but not part of the group
	for {
		w := held
		held = nil
		if w == nil {
			select {
			case w = <-s.writes:
			case <-s.closing:
				select {
				case w = <-s.writes:
				default:
					return
				}
			}
		}
		ws := append(s.groupBuf[:0], w)
		held = s.commitGroup(ws)
	}
}

// commitGroup commits ws[0] and whatever else is waiting. It returns a write that it took
// but that must come in a later group.
func (s *Store) commitGroup(ws []*write) (held *write) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, err := s.databaseLocked()
	if err == nil && d.readOnly {
		err = downErr(s.down)
	}
	if err != nil {
		ws[0].done <- err
		return nil
	}
	g := &group{db: d.db, batch: d.db.NewBatch()}
	defer g.batch.Close()
	n := 0 // ws[:n] are part of the batch
	add := func(w *write) {
		if err := w.prepare(g); err != nil {
			if fault := d.fs.broken(); fault != nil {
				err = downErr(fault) // what was found since is no finding
			}
			w.done <- err
			return
		}
		ws[n] = w
		n++
	}
	add(ws[0])
	alone := ws[0].alone
	for !alone && n < maxGroup && g.batch.Len() < maxGroupOctets {
		var w *write
		select {
		case w = <-s.writes:
		default:
		}
		if w == nil {
			break
		}
		if w.alone {
			held = w
			break
		}
		ws = append(ws[:n], w)
		add(w)
	}
	ws = ws[:n]
	err = nil
	if n > 0 && !g.batch.Empty() {
		err = s.apply(d, g.batch)
	}
	for _, c := range g.stripes {
		c.Add(1) // after a failure too: the removal may have happened
	}
	s.metrics.groups.Inc()
	s.metrics.writes.Add(float64(n))
	for _, w := range ws {
		w.done <- err
	}
	clear(ws)
	s.groupBuf = ws[:0]
	return held
}

// apply makes a batch durable. A failure leaves open what became of it.
func (s *Store) apply(d *database, b *pebble.Batch) error {
	err := b.Commit(pebble.Sync)
	if fault := d.fs.broken(); fault != nil {
		err = fault
	}
	if err == nil {
		return nil
	}
	return fmt.Errorf("%w: %w", store.ErrOutcomeUnknown, err)
}

// get reads one value into a copy; ErrNotFound if there is none.
func get(r pebble.Reader, key []byte) ([]byte, error) {
	v, closer, err := r.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return nil, store.ErrNotFound
	case err != nil:
		return nil, err
	}
	b := append([]byte(nil), v...)
	return b, closer.Close()
}

// has reports whether key has a value.
func has(r pebble.Reader, key []byte) (bool, error) {
	_, closer, err := r.Get(key)
	switch {
	case errors.Is(err, pebble.ErrNotFound):
		return false, nil
	case err != nil:
		return false, err
	}
	return true, closer.Close()
}
