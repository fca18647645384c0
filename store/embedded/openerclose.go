package embedded

import (
	"errors"
	"fmt"
	"time"

	"popelago/store"
)

// close closes a database in order: all writes go to tables, so that nothing depends on a log,
// and the state of the folder then lists the files for the next start. If that fails all acknowledged
// writes are still durable, and the next start is like a start after a crash.
func (o *opener) close(d *database) error {
	fault := d.fs.broken()
	d.fs.closing.Store(true)
	if fault == nil && !d.readOnly {
		o.flushLast(d)
	}
	err := d.db.Close()
	d.fs.fence()
	if fault != nil && !errors.Is(fault, store.ErrClosed) {
		err = errors.Join(fault, err)
	}
	if err != nil || d.readOnly {
		return err
	}
	if err = d.fs.broken(); err == nil {
		err = o.writeClosed()
	}
	if err != nil {
		o.cfg.Logger.Warn("embedded store: not closed in order: no acknowledged write is lost, and the next start is like a start after a crash", "cause", err)
	}
	return nil
}

// writeClosed writes the state with the files for the next start.
func (o *opener) writeClosed() error {
	st, err := closedState(o.cfg.FS, o.cfg.Dir)
	if err != nil {
		return err
	}
	return writeState(o.cfg.FS, o.cfg.Dir, st)
}

// flushLast writes the memory tables to disk, unless a full disk prevents it.
func (o *opener) flushLast(d *database) {
	flushed, err := d.db.AsyncFlush()
	if err != nil {
		return
	}
	patience := time.NewTimer(closePatience)
	defer patience.Stop()
	select {
	case <-flushed:
	case <-patience.C:
		d.fs.fail(fmt.Errorf("the last writes could not go to tables within %v", closePatience))
		<-flushed
	}
}
