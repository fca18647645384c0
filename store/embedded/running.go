package embedded

import (
	"fmt"
	"hash/crc32"
	"log/slog"
	"maps"
	"strings"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// running keeps the state of a folder while its database is open for writing. The state names the logs and
// manifests with durable names, each with the octets at its start that are known to be on disk. The name
// of a log is recorded before the first write to the log, the synced octets every Config.StateEvery. A
// file is removed from the state before it is removed or reused. So a crash at any moment leaves a state
// that holds.
//
// If a full disk has no room for the state the state is removed: then only Pebble finds damage after a
// crash.
type running struct {
	fs     vfs.FS
	dir    string
	logger *slog.Logger

	mu sync.Mutex // held while the state is written
	// onDisk is the state on the disk.
	onDisk  state
	options string
	isOpen  bool // since opened
	// fixed holds the files that do not change while the database is open.
	fixed map[string]fileState
	files map[string]*tracked // by base name
}

// tracked is a log or a manifest.
type tracked struct {
	mu              sync.Mutex
	written, synced fileState // of fileStart
	// named is set once the name is durable.
	named bool
}

// newRunning begins with a checked state.
func newRunning(fs vfs.FS, dir string, st state, logger *slog.Logger) *running {
	r := &running{fs: fs, dir: dir, logger: logger, onDisk: st, options: st.options, files: make(map[string]*tracked)}
	for name, f := range st.files {
		base := fs.PathBase(name)
		if isTracked(base) && f.kind != fileSize {
			f.kind = fileStart
			r.files[base] = &tracked{written: f, synced: f, named: true}
		}
	}
	return r
}

func isTracked(base string) bool { return isLog(base) || isManifest(base) }

// start records that the folder is being opened. A new folder has the record already.
func (r *running) start() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.onDisk.phase == phaseNew {
		return nil
	}
	if err := r.fixLocked(formatFile); err != nil {
		return err
	}
	return r.recordLocked()
}

// fixLocked records files that do not change from now on.
func (r *running) fixLocked(names ...string) (err error) {
	r.fixed = make(map[string]fileState, len(names))
	for _, name := range names {
		if r.fixed[name], err = wholeState(r.fs, r.fs.PathJoin(r.dir, name)); err != nil {
			return err
		}
	}
	return nil
}

// begin tracks a new or reused file.
func (r *running) begin(base string) *tracked {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := &tracked{written: fileState{kind: fileStart}, synced: fileState{kind: fileStart}}
	r.files[base] = t
	return t
}

// named is called when the name of a file is durable.
func (r *running) named(base string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if t := r.files[base]; t != nil {
		t.named = true
	}
	return r.recordLocked()
}

// opened is called when the database is open.
func (r *running) opened() error {
	names, err := r.fs.List(r.fs.PathJoin(r.dir, dbDir))
	if err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.isOpen, r.options = true, newestOptions(names)
	fixed := []string{formatFile}
	for _, name := range names {
		if name == r.options || strings.HasPrefix(name, formatMarker) {
			fixed = append(fixed, r.fs.PathJoin(dbDir, name))
		}
	}
	if err := r.fixLocked(fixed...); err != nil {
		return err
	}
	return r.recordLocked()
}

// note records the synced lengths of files.
func (r *running) note() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.recordLocked()
}

// drop removes a file from the state, before the file is removed.
func (r *running) drop(base string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.files[base]
	if t == nil {
		return nil
	}
	delete(r.files, base)
	if _, listed := r.onDisk.files[r.fs.PathJoin(dbDir, base)]; !listed {
		return nil
	}
	err := r.recordLocked()
	if err != nil {
		r.files[base] = t
	}
	return err
}

// recordLocked writes the state to disk. After an error the disk has the old state.
func (r *running) recordLocked() error {
	st := r.stateLocked()
	if st.equal(r.onDisk) {
		return nil
	}
	err := writeState(r.fs, r.dir, st)
	if err == nil {
		r.onDisk = st
		return nil
	}
	if removeErr := removeState(r.fs, r.dir); removeErr != nil {
		return fmt.Errorf("write %s: %w (and removing it: %w)", stateFile, err, removeErr)
	}
	if r.onDisk.phase != "" {
		r.logger.Warn("embedded store: cannot write down which files must be there; damage after a crash may go unseen until it can be", "cause", err)
	}
	r.onDisk = state{}
	return nil
}

func (r *running) stateLocked() state {
	st := state{phase: phaseOpening, options: r.options, files: make(map[string]fileState)}
	if r.isOpen {
		st.phase = phaseRunning
	}
	maps.Copy(st.files, r.fixed)
	for base, t := range r.files {
		t.mu.Lock()
		if t.named {
			st.files[r.fs.PathJoin(dbDir, base)] = t.synced
		}
		t.mu.Unlock()
	}
	return st
}

// with returns the contents after a write of p.
func (t *tracked) with(p []byte) fileState {
	f := t.sofar()
	if t != nil {
		f.size += int64(len(p))
		f.sum = crc32.Update(f.sum, castagnoli, p)
	}
	return f
}

// wrote is called when f is written.
func (t *tracked) wrote(f fileState) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.written = f
}

// sofar returns the contents written so far.
func (t *tracked) sofar() fileState {
	if t == nil {
		return fileState{}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.written
}

// reached is called when all of f is on the disk.
func (t *tracked) reached(f fileState) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if f.size >= t.synced.size {
		t.synced = f
	}
}
