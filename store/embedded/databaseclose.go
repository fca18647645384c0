package embedded

import (
	"errors"
	"fmt"
	"time"

	"popelago/store"
)

// closeDatabase closes the database in order: all writes go to tables, so that nothing depends on a log,
// and the state of the folder then lists the files for the next start. If that fails all acknowledged
// writes are still durable, and the next start is like a start after a crash.
func (s *Store) closeDatabase(d *database) error {
	fault := d.fs.broken()
	d.fs.closing.Store(true)
	if fault == nil && !d.readOnly {
		s.flushLast(d)
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
		err = s.writeClosed()
	}
	if err != nil {
		s.cfg.Logger.Warn("embedded store: not closed in order: no acknowledged write is lost, and the next start is like a start after a crash", "cause", err)
	}
	return nil
}

// writeClosed writes the state with the files for the next start.
func (s *Store) writeClosed() error {
	st, err := closedState(s.cfg.FS, s.cfg.Dir)
	if err != nil {
		return err
	}
	return writeState(s.cfg.FS, s.cfg.Dir, st)
}

// flushLast writes the memory tables to disk, unless a full disk prevents it.
func (s *Store) flushLast(d *database) {
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

// note records the synced length of the newest log.
func (s *Store) note() {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if d, err := s.databaseLocked(); err == nil {
		d.fs.record((*running).note)
	}
}
