package embedded

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/cockroachdb/pebble/v2/vfs"
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
	lists    listCache
}

// flush writes the memory tables to disk. It ends with the first failure of the database: Pebble may then
// wait without end.
func (d *database) flush(ctx context.Context) error {
	flushed, err := d.db.AsyncFlush()
	if err != nil {
		return err
	}
	select {
	case <-flushed:
		return nil
	case <-d.fs.failed:
		return d.fs.broken()
	case <-ctx.Done():
		return ctx.Err()
	}
}

// compact moves the rows between two keys to the lowest level. It ends with the first failure of the database.
func (d *database) compact(ctx context.Context, lower, upper []byte) error {
	ctx, cancel := until(ctx, d.fs.failed)
	defer cancel()
	return d.db.Compact(ctx, lower, upper, false)
}

// opener opens and closes the database of a folder. The lock on the folder is held meanwhile.
type opener struct {
	cfg     Config
	folder  *folder
	spare   *spare
	metrics *metrics
	cache   *pebble.Cache
	said    said
}

// newOpener returns an opener; release must follow.
//
// Pebble takes the memory of the tables that gather writes out of the cache. Without their part two tables of 8 MiB would
// leave nothing of 16 MiB for blocks.
func newOpener(cfg Config, f *folder, s *spare, m *metrics) *opener {
	return &opener{cfg: cfg, folder: f, spare: s, metrics: m, cache: pebble.NewCache(cfg.CacheSize + int64(cfg.MemTableSize))}
}

// release frees the memory for blocks, when no database is open.
func (o *opener) release() { o.cache.Unref() }

// openWriting opens the database for writing, on a full disk in the space of the spare.
func (o *opener) openWriting(failed func()) (*database, error) {
	d, err := o.open(false, failed)
	if err != nil && isFull(err) && o.spare.giveUp() {
		o.cfg.Logger.Warn("embedded store: the disk is full: mail is refused, and can be removed in the space that was kept for this", "cause", err)
		d, err = o.open(false, failed)
	}
	return d, err
}

// open checks the files of the database and opens it. failed is called after the first failed write of the
// open database; open returns a failure of the opening.
func (o *opener) open(readOnly bool, failed func()) (*database, error) {
	exists, st, err := checkDatabase(o.cfg.FS, o.cfg.Dir)
	if err != nil {
		return nil, missing(err)
	}
	d := &database{readOnly: readOnly}
	d.fs = newGuardFS(o.cfg.FS, func(err error) { o.fault(d, err, failed) })
	if !readOnly {
		d.fs.running = newRunning(o.cfg.FS, o.cfg.Dir, st, o.cfg.Logger)
		if err := d.fs.running.start(); err != nil {
			return nil, err
		}
	}
	db, err := pebble.Open(o.cfg.FS.PathJoin(o.cfg.Dir, dbDir), o.options(d))
	if err == nil && !exists {
		// The first log of a new database lacks the form that tells damage from a torn end
		// (FormatWALSyncChunks): begin the second.
		if err = errors.Join(setFirstHigh(db, o.cfg.Now().Round(0)), db.Flush()); err != nil {
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

// fault is called once for each database with a failed write.
func (o *opener) fault(d *database, err error, failed func()) {
	if d.fs.opening.Load() || d.fs.closing.Load() {
		return // open and close report it
	}
	o.metrics.faults.Inc()
	o.cfg.Logger.Error("embedded store: a write to the database failed; opening it again", "cause", err)
	failed()
}

// checkDatabase looks for a missing database, and for damage that Pebble misjudges. It returns the state
// of the folder.
func checkDatabase(fs vfs.FS, dir string) (exists bool, st state, err error) {
	if st, err = readState(fs, dir); err != nil {
		return false, st, err
	}
	if st, err = checkState(fs, dir, st); err != nil {
		return false, st, err
	}
	db := fs.PathJoin(dir, dbDir)
	exists, err = checkManifest(fs, db)
	if err == nil && !exists && st.phase != phaseNew {
		err = fmt.Errorf("%s: %w: the database is missing, or its marker.manifest", db, errBadRow)
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

// options returns the options of one opening.
func (o *opener) options(d *database) *pebble.Options {
	opts := &pebble.Options{
		FS:                          d.fs,
		Lock:                        o.folder.lock,
		Cache:                       o.cache,
		FormatMajorVersion:          formatMajorVersion,
		Logger:                      pebbleLogger{log: o.cfg.Logger, fs: d.fs},
		MemTableSize:                o.cfg.MemTableSize,
		MemTableStopWritesThreshold: 3,
		MaxOpenFiles:                500,
		L0CompactionThreshold:       2,
		// New rows of mailboxes are spread over all rows: each compaction of level 0 writes the next level again.
		LBaseMaxBytes:              int64(o.cfg.MemTableSize),
		BytesPerSync:               1 << 20,
		ReadOnly:                   d.readOnly,
		CompactionConcurrencyRange: func() (lower, upper int) { return 1, 2 },
	}
	scheduler := newCompactions(d.fs.broken)
	opts.EventListener = o.listener(d, scheduler)
	opts.Experimental.CompactionScheduler = scheduler
	opts.Experimental.SpanPolicyFunc = separateKinds
	for i := range opts.Levels {
		opts.Levels[i].FilterPolicy = bloom.FilterPolicy(10)
		// A block is read whole: a larger block would include unrelated content.
		opts.Levels[i].BlockSize = 4 << 10
	}
	// Most rows are in the last level. Filters of ten million rows would need 12 MB of the cache, and a filter is read
	// whole.
	opts.Levels[len(opts.Levels)-1].FilterPolicy = pebble.NoFilterPolicy
	return opts
}

// separateKinds ends each table behind the rows of a kind, and each table of journal rows behind a journal. A
// table with the newest content and with a row of a mailbox would overlap with all kinds between, and each
// compaction would write these rows again.
func separateKinds(start []byte) (p pebble.SpanPolicy, end []byte, err error) {
	kind := start[:min(1, len(start))]
	if len(start) > 1 && start[0] == prefixJournal {
		kind = start[:2] // and the letter of the journal
	}
	return p, successor(kind), nil
}
