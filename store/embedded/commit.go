package embedded

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/mail"
	"popelago/span"
	"popelago/store"
)

// Writes go through one goroutine, the committer. The committer gathers all waiting writes into one batch in
// the order of their arrival, and makes the batch durable with one fsync. So writes have one order, which
// decides between an addition and a removal of the same message, and a caller can stop waiting for a
// hanging disk.

// write is the part of a caller in a batch.
type write struct {
	// prepare adds to g.batch. It runs in the committer and must be quick.
	prepare func(g *group) error
	// alone asks for a group of its own: all earlier writes are readable then.
	alone bool
	// done receives the outcome; it is buffered.
	done chan error
}

// group holds the writes that become durable together.
type group struct {
	db    *pebble.DB
	batch *pebble.Batch
	// removed holds the rows that writes of this group remove.
	removed map[rowKey]struct{}
	// stripes holds the stripes of the removed rows.
	stripes []*atomic.Uint64
	// lists forgets the lists of the mailboxes in changed, see listCache.
	lists   *listCache
	changed []*listPlace
}

// change notes that a write of the group changes rows of a mailbox.
func (g *group) change(mailbox mail.MailboxID) {
	p := g.lists.place(mailbox)
	if n := len(g.changed); n > 0 && g.changed[n-1] == p {
		return // a write of many rows
	}
	p.begin(g.lists)
	g.changed = append(g.changed, p)
}

// Bounds of one group, in writes and in octets.
const (
	maxGroup       = 256
	maxGroupOctets = 2 << 20
)

// committer makes writes durable. Safe for concurrent use.
type committer struct {
	link    *link
	closing *closing
	metrics *metrics
	writes  chan *write
	ended   chan struct{} // closed when run has ended
	buf     []*write      // of run
}

func newCommitter(l *link, c *closing, m *metrics) *committer {
	return &committer{link: l, closing: c, metrics: m, writes: make(chan *write, maxGroup), ended: make(chan struct{})}
}

// start starts the loop that commits writes.
func (c *committer) start() { c.closing.loop(c.run) }

// commit hands w to the loop and waits for the outcome.
func (c *committer) commit(ctx context.Context, what string, w *write) (err error) {
	ctx, work := span.Start(ctx, "commit")
	defer func() { work.End(err) }()
	if err := contextErr(ctx, what); err != nil {
		return err
	}
	w.done = make(chan error, 1)
	select {
	case c.writes <- w:
	case <-ctx.Done():
		return contextErr(ctx, what)
	case <-c.closing.begun:
		return translate(store.ErrClosed, what)
	}
	select {
	case err := <-w.done:
		return translate(err, what)
	case <-ctx.Done():
		return fmt.Errorf("embedded: %s: %w: %w", what, store.ErrOutcomeUnknown, context.Cause(ctx))
	case <-c.ended:
		// The loop has ended. It may have answered first.
		select {
		case err := <-w.done:
			return translate(err, what)
		default:
			return translate(store.ErrClosed, what)
		}
	}
}

// run commits writes until the store is closed. Writes handed over before are still committed.
func (c *committer) run() {
	defer close(c.ended)
	var held *write // received, and not part of the group
	for {
		w := held
		held = nil
		if w == nil {
			select {
			case w = <-c.writes:
			case <-c.closing.begun:
				select {
				case w = <-c.writes:
				default:
					return
				}
			}
		}
		held = c.commitGroup(append(c.buf[:0], w))
	}
}

// commitGroup commits ws[0] and all waiting writes. It returns a write that must come in a later group.
func (c *committer) commitGroup(ws []*write) (held *write) {
	d, err := c.link.useWriting()
	defer c.link.done()
	if err != nil {
		ws[0].done <- err
		return nil
	}
	g := &group{db: d.db, batch: d.db.NewBatch(), lists: &d.lists}
	defer g.batch.Close()
	n := 0 // ws[:n] are part of the batch
	add := func(w *write) {
		if err := w.prepare(g); err != nil {
			if fault := d.fs.broken(); fault != nil {
				err = downErr(fault) // a broken database may return wrong results
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
		case w = <-c.writes:
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
		err = c.apply(d, g.batch)
	}
	for _, stripe := range g.stripes {
		stripe.Add(1) // also after a failure: the removal may have happened
	}
	for _, place := range g.changed {
		place.end()
	}
	c.metrics.groups.Inc()
	c.metrics.writes.Add(float64(n))
	for _, w := range ws {
		w.done <- err
	}
	clear(ws)
	c.buf = ws[:0]
	return held
}

// apply makes a batch durable, and measures the time.
func (c *committer) apply(d *database, b *pebble.Batch) error {
	start := time.Now()
	err := apply(d, b)
	c.metrics.commits.Observe(time.Since(start).Seconds())
	if err != nil {
		c.metrics.failed.Inc()
	}
	return err
}

// apply makes a batch durable. After a failure the outcome is unknown.
func apply(d *database, b *pebble.Batch) error {
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
