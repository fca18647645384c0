package embedded

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"

	"popelago/store"
)

// formatMajorVersion is the on-disk format of Pebble. It is raised on purpose only, and never to
// FormatValueSeparation, which cannot be undone.
const formatMajorVersion = pebble.FormatTableFormatV6

// database is the database from one pebble.Open to its Close. See guardFS.
type database struct {
	db *pebble.DB
	fs *guardFS
	// readOnly is set if a full disk left no room to open the database for writing.
	readOnly bool
}

// openDatabase checks the files of the database and opens it. The lock on the folder is
// held.
func (s *Store) openDatabase(readOnly bool) (*database, error) {
	exists, st, err := s.checkDatabase()
	if err != nil {
		return nil, missing(err)
	}
	d := &database{readOnly: readOnly}
	d.fs = newGuardFS(s.cfg.FS, func(err error) { s.databaseFailed(d, err) })
	if !readOnly {
		d.fs.running = newRunning(s.cfg.FS, s.cfg.Dir, st, s.cfg.Logger)
		if err := d.fs.running.start(); err != nil {
			return nil, err
		}
	}
	db, err := pebble.Open(s.cfg.FS.PathJoin(s.cfg.Dir, dbDir), s.pebbleOptions(d))
	if err == nil && !exists {
		// The first log of a new database lacks the form that tells damage from a torn end
		// (FormatWALSyncChunks): begin the second.
		if err = errors.Join(s.setFirstHigh(db), db.Flush()); err != nil {
			d.fs.fence()
			err = errors.Join(err, db.Close())
		}
	}
	if err == nil {
		d.fs.record((*running).opened)
	}
	d.fs.opening.Store(false)
	if fault := d.fs.broken(); fault != nil {
		d.fs.fence()
		if err == nil {
			_ = db.Close() // closes a database whose changes were dropped
		}
		return nil, fault
	}
	if err != nil {
		d.fs.fence()
		return nil, missing(err)
	}
	d.db = db
	return d, nil
}

// checkDatabase looks for a missing database, and for damage that Pebble misjudges. It returns the state
// of the folder.
func (s *Store) checkDatabase() (exists bool, st state, err error) {
	if st, err = readState(s.cfg.FS, s.cfg.Dir); err != nil {
		return false, st, err
	}
	if st, err = checkState(s.cfg.FS, s.cfg.Dir, st); err != nil {
		return false, st, err
	}
	dir := s.cfg.FS.PathJoin(s.cfg.Dir, dbDir)
	exists, err = checkManifest(s.cfg.FS, dir)
	if err == nil && !exists && st.phase != phaseNew {
		err = fmt.Errorf("%s: %w: the database is missing, or its marker.manifest", dir, errBadRow)
	}
	return exists, st, err
}

// missing turns an error about a missing or truncated file into damage.
func missing(err error) error {
	switch {
	case isNotExist(err), errors.Is(err, pebble.ErrDBNotPristine):
		return fmt.Errorf("%w: a file is missing: %w", errBadRow, err)
	case err != nil && strings.Contains(err.Error(), "object size mismatch"):
		return fmt.Errorf("%w: %w", errBadRow, err)
	}
	return err
}

// pebbleOptions returns the options of one opening.
func (s *Store) pebbleOptions(d *database) *pebble.Options {
	opts := &pebble.Options{
		FS:                          d.fs,
		Lock:                        s.folder.lock,
		Cache:                       s.cache,
		FormatMajorVersion:          formatMajorVersion,
		Logger:                      pebbleLogger{log: s.cfg.Logger, fs: d.fs},
		MemTableSize:                s.cfg.MemTableSize,
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                500,
		L0CompactionThreshold:       2,
		BytesPerSync:                1 << 20,
		ReadOnly:                    d.readOnly,
		CompactionConcurrencyRange:  func() (lower, upper int) { return 1, 2 },
		EventListener:               s.listener(d),
	}
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		// A block is read whole: a larger block would include unrelated content.
		opts.Levels[i].BlockSize = 4 << 10
	}
	return opts
}

// read runs f on the database. If the database failed meanwhile the result of f is dropped.
func (s *Store) read(what string, f func(db *pebble.DB) error) error {
	s.mu.RLock()
	defer s.mu.RUnlock()
	d, err := s.databaseLocked()
	if err == nil {
		err = f(d.db)
		if fault := d.fs.broken(); fault != nil {
			err = downErr(fault)
		}
	}
	return translate(err, what)
}

// databaseLocked returns the open database, or why there is none.
func (s *Store) databaseLocked() (*database, error) {
	switch {
	case s.closed:
		return nil, store.ErrClosed
	case s.database == nil:
		return nil, downErr(s.down)
	}
	if fault := s.database.fs.broken(); fault != nil {
		return nil, downErr(fault)
	}
	return s.database, nil
}

// downErr returns the error of calls while the database is being opened again after cause.
func downErr(cause error) error {
	if isFull(cause) {
		return fmt.Errorf("%w: %w", store.ErrFull, cause)
	}
	return fmt.Errorf("%w: %w", store.ErrUnavailable, cause)
}

// databaseFailed is called once for each database that failed.
func (s *Store) databaseFailed(d *database, err error) {
	if d.fs.opening.Load() || d.fs.closing.Load() {
		return // openDatabase and closeDatabase report it
	}
	s.metrics.faults.Inc()
	s.cfg.Logger.Error("embedded store: a write to the database failed; opening it again", "cause", err)
	select {
	case s.revive <- struct{}{}:
	default:
	}
}

// Delays between attempts to open the database again.
const (
	reviveFirst = 20 * time.Millisecond
	reviveMax   = 2 * time.Second
)

// reviver opens the database again after a failure, until the store is closed.
func (s *Store) reviver() {
	var retry <-chan time.Time
	delay := reviveFirst
	for {
		select {
		case <-s.closing.begun:
			return
		case <-s.revive:
			delay = reviveFirst
		case <-retry:
			delay = min(2*delay, reviveMax)
		}
		retry = nil
		if !s.reopen() {
			retry = time.After(delay)
		}
	}
}

// reopen replaces a failed or read-only database. It reports whether the database is open for writing.
func (s *Store) reopen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.database
	if s.closed || old != nil && !old.readOnly && old.fs.broken() == nil {
		return true
	}
	if old != nil {
		if fault := old.fs.broken(); fault != nil {
			s.down = fault
		}
		if old.readOnly && old.fs.broken() == nil && !s.space.roomToOpen() {
			return false
		}
		s.database = nil
		old.fs.fence()
		if err := old.db.Close(); err != nil {
			s.cfg.Logger.Debug("embedded store: closing the ended database", "cause", err)
		}
	}
	d, err := s.openWriting()
	if err == nil {
		s.database = d
		s.down = nil
		s.cfg.Logger.Info("embedded store: the database is open again")
		return true
	}
	s.down = err
	s.cfg.Logger.Error("embedded store: cannot open the database again yet", "cause", err)
	if d, roErr := s.openDatabase(true); roErr == nil {
		s.database = d
	}
	return false
}
