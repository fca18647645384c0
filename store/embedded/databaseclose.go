package embedded

import (
	"errors"
	"fmt"
	"time"

	"popelago/store"
)

// closeDatabase ends the last life in order: all writes go to tables, so that nothing depends on a
// log, and the state of the folder then says what must be there at the next start. Where that
// fails, what was acknowledged is still durable, and the next start is one after a crash.
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
		s.cfg.Logger.Warn("embedded store: not closed in order: nothing is lost, and the next start is one as after a crash", "cause", err)
	}
	return nil
}

// writeClosed writes down which files must be there at the next start.
func (s *Store) writeClosed() error {
	st, err := closedState(s.cfg.FS, s.cfg.Dir)
	if err != nil {
		return err
	}
	return writeState(s.cfg.FS, s.cfg.Dir, st)
}

// flushLast writes what is in memory to tables. A full disk may make that impossible.
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

// noter writes down how far the newest log is synced, until the store is closed.
func (s *Store) noter() {
	defer s.background.Done()
	ticks := time.NewTicker(s.cfg.StateEvery)
	defer ticks.Stop()
	for {
		select {
		case <-s.closing:
			return
		case <-ticks.C:
		}
		s.mu.RLock()
		if d, err := s.databaseLocked(); err == nil {
			d.fs.record((*running).note)
		}
		s.mu.RUnlock()
	}
}
