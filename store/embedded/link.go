package embedded

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"

	"popelago/store"
)

// link holds the database in use now. After a failed write it opens the folder again; meanwhile calls fail
// with the cause. Safe for concurrent use.
type link struct {
	opener  *opener
	space   *space
	closing *closing
	logger  *slog.Logger
	revive  chan struct{} // asks for another database

	// mu is held shared while the database is used, and exclusively while it is replaced.
	mu       sync.RWMutex
	database *database // nil: there is none at present
	down     error     // why database is nil or read-only
	closed   bool
}

func newLink(cfg Config, o *opener, s *space, c *closing) *link {
	return &link{opener: o, space: s, closing: c, logger: cfg.Logger, revive: make(chan struct{}, 1)}
}

// open opens the database, on a full disk for reading only: reopen then opens it for writing once there is
// space.
func (l *link) open() (err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.database, err = l.opener.openWriting(l.failed); err == nil || !isFull(err) {
		return err
	}
	d, readErr := l.opener.open(true, l.failed)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	l.logger.Error("embedded store: the disk is full; the database is open for reading only until there is space", "cause", err)
	l.database, l.down = d, err
	l.failed()
	return nil
}

// failed asks for another database.
func (l *link) failed() {
	select {
	case l.revive <- struct{}{}:
	default:
	}
}

// start starts the loop that opens the database again, and the loop that records the length of its log.
func (l *link) start(stateEvery time.Duration) {
	l.closing.loop(l.reviver)
	l.closing.every(stateEvery, l.note)
}

// use returns the open database, which is not replaced before done. done must follow, also after an error.
func (l *link) use() (*database, error) {
	l.mu.RLock()
	switch {
	case l.closed:
		return nil, store.ErrClosed
	case l.database == nil:
		return nil, downErr(l.down)
	}
	if fault := l.database.fs.broken(); fault != nil {
		return nil, downErr(fault)
	}
	return l.database, nil
}

// useWriting is use for a database that can be written.
func (l *link) useWriting() (*database, error) {
	d, err := l.use()
	if err == nil && d.readOnly {
		return nil, downErr(l.down)
	}
	return d, err
}

// done ends use and useWriting.
func (l *link) done() { l.mu.RUnlock() }

// downErr returns the error of calls while the database is being opened again after cause.
func downErr(cause error) error {
	if isFull(cause) {
		return fmt.Errorf("%w: %w", store.ErrFull, cause)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, cause)
}

// read runs f on the database. If the database failed meanwhile the result of f is dropped. f must end although
// the database fails: there is no other database before.
func (l *link) read(what string, f func(db *pebble.DB) error) error {
	return l.with(what, func(d *database) error { return f(d.db) })
}

// flush writes the memory tables to disk.
func (l *link) flush(ctx context.Context, what string) error {
	return l.with(what, func(d *database) error { return d.flush(ctx) })
}

// compact moves the rows between two keys to the lowest level, which reclaims the space of removed rows.
func (l *link) compact(ctx context.Context, what string, lower, upper []byte) error {
	return l.with(what, func(d *database) error { return d.compact(ctx, lower, upper) })
}

func (l *link) with(what string, f func(d *database) error) error {
	d, err := l.use()
	defer l.done()
	if err == nil {
		err = f(d)
		if fault := d.fs.broken(); fault != nil {
			err = downErr(fault)
		}
	}
	return translate(err, what)
}

// scan calls f for the rows between two keys until it returns false.
func (l *link) scan(ctx context.Context, lower, upper []byte, f func(k, v []byte) (bool, error)) error {
	return l.read("sweep", func(db *pebble.DB) (err error) {
		it, err := db.NewIter(&pebble.IterOptions{LowerBound: lower, UpperBound: upper})
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, it.Close()) }()
		for valid := it.First(); valid && ctx.Err() == nil; valid = it.Next() {
			v, err := it.ValueAndErr()
			if err != nil {
				return err
			}
			if more, err := f(it.Key(), v); err != nil || !more {
				return err
			}
		}
		return it.Error()
	})
}

// writable reports whether writes are possible at present.
func (l *link) writable() bool {
	_, err := l.useWriting()
	defer l.done()
	return err == nil
}

// octets returns the size of the database on disk; 0 while there is none.
func (l *link) octets() uint64 {
	l.mu.RLock()
	defer l.mu.RUnlock()
	if l.database == nil || l.closed {
		return 0
	}
	return l.database.db.Metrics().DiskSpaceUsage()
}

// note records the synced length of the newest log.
func (l *link) note() {
	d, err := l.use()
	defer l.done()
	if err == nil {
		d.fs.record((*running).note)
	}
}

// giveUp fails the writes in flight, which a full disk may stall. Durable writes stay durable; other writes
// were not acknowledged. Nothing is to do while the database is being replaced: it failed before.
func (l *link) giveUp() {
	if !l.mu.TryRLock() {
		return
	}
	defer l.mu.RUnlock()
	if l.database != nil {
		l.database.fs.fail(store.ErrClosed)
	}
}

// close closes the database in order.
func (l *link) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	if l.database == nil {
		return nil
	}
	return l.opener.close(l.database)
}
