package embedded

import (
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// guardFS is the file system of one opening of the database, from pebble.Open to Close.
//
// Pebble ends the process when it cannot write its log or manifest (a failed rotation even unlocks a
// mutex twice, which cannot be recovered). guardFS prevents the end of the process: after the first such
// failure every change of a log or manifest is dropped and reported as done. So Pebble cannot change the
// durable database any more, and can be closed in the ordinary way. The engine asks broken after every commit
// and every read, ignores the results of a broken database, and opens the folder again from durable data.
//
// Tables are written until fence, also by a broken database: a commit may wait for a compaction, and Pebble
// repeats without end a compaction of a table that was dropped. No manifest names the tables, and the next
// opening removes them.
//
// Failures to write tables are passed on: Pebble repeats those writes itself. Failures to remove obsolete
// files, and errors about missing files, are passed on too.
type guardFS struct {
	vfs.FS
	// opening is true while pebble.Open runs. A table that cannot be written then breaks the database
	// too, because Open would repeat the write without end.
	opening atomic.Bool
	// closing is true while the last writes go to tables. The log holds them too, so no caller waits
	// for a table that cannot be written.
	closing atomic.Bool
	// fault is the first failure.
	fault  atomic.Pointer[error]
	failed chan struct{} // closed by the first failure
	// onFault is called once.
	onFault func(error)
	// running keeps the state of the folder; nil for a read-only database.
	running *running
	// mu is held shared by every change in flight, and exclusively by fence.
	mu     sync.RWMutex
	fenced bool
	done   chan struct{} // closed by fence
}

func newGuardFS(fs vfs.FS, onFault func(error)) *guardFS {
	g := &guardFS{FS: fs, onFault: onFault, failed: make(chan struct{}), done: make(chan struct{})}
	g.opening.Store(true)
	return g
}

// broken returns the failure that broke the database, or nil.
func (g *guardFS) broken() error {
	if e := g.fault.Load(); e != nil {
		return *e
	}
	return nil
}

// fail breaks the database.
func (g *guardFS) fail(err error) {
	if g.fault.CompareAndSwap(nil, &err) {
		close(g.failed)
		g.onFault(err)
	}
}

// fence waits for the changes in flight, and drops all later changes.
func (g *guardFS) fence() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.fenced {
		g.fenced = true
		close(g.done)
	}
}

// tableRetryDelay keeps Pebble, which tries a failed flush again at once, from spinning.
const tableRetryDelay = 50 * time.Millisecond

// change runs one change of a file. dropped reports whether the change was dropped, or its error is to be
// hidden.
func (g *guardFS) change(name string, do func() error) (dropped bool, err error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	broken := g.broken() != nil
	if g.fenced || broken && !isTable(name) {
		return true, nil
	}
	err = do()
	if err == nil || isNotExist(err) {
		return false, err
	}
	if isTable(name) && !broken && !g.opening.Load() && !g.closing.Load() {
		t := time.NewTimer(tableRetryDelay)
		defer t.Stop()
		select {
		case <-t.C:
		case <-g.done:
		}
		return false, err
	}
	g.fail(err)
	return true, nil
}

func isTable(name string) bool { return strings.HasSuffix(name, ".sst") }

func (g *guardFS) file(name string, open func() (vfs.File, error)) (vfs.File, error) {
	var f vfs.File
	dropped, err := g.change(name, func() (err error) { f, err = open(); return err })
	switch {
	case err != nil:
		return nil, err
	case dropped:
		return &guardedFile{File: vfs.NewMemFile(nil), fs: g, name: name, void: true}, nil
	}
	file := &guardedFile{File: f, fs: g, name: name}
	if base := g.PathBase(name); g.running != nil && isTracked(base) {
		file.tracked = g.running.begin(base)
	}
	return file, nil
}

func (g *guardFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) {
		if isMarker(g.PathBase(name)) {
			// A marker must not become durable before its manifest, and Pebble makes the two names
			// durable together.
			if err := syncDir(g.FS, g.PathDir(name)); err != nil {
				return nil, err
			}
		}
		return g.FS.Create(name, c)
	})
}

func (g *guardFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.OpenReadWrite(name, c, opts...) })
}

func (g *guardFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	return g.file(newname, func() (vfs.File, error) {
		if err := g.drop(oldname); err != nil {
			return nil, err
		}
		return g.FS.ReuseForWrite(oldname, newname, c)
	})
}

func (g *guardFS) OpenDir(name string) (vfs.File, error) {
	return g.file(name, func() (vfs.File, error) { return g.FS.OpenDir(name) })
}

func (g *guardFS) Link(oldname, newname string) error {
	_, err := g.change(newname, func() error { return g.FS.Link(oldname, newname) })
	return err
}

func (g *guardFS) Rename(oldname, newname string) error {
	_, err := g.change(newname, func() error { return g.FS.Rename(oldname, newname) })
	return err
}

func (g *guardFS) MkdirAll(dir string, perm os.FileMode) error {
	_, err := g.change(dir, func() error { return g.FS.MkdirAll(dir, perm) })
	return err
}

// Remove and RemoveAll report their errors: Pebble removes what it no longer needs, logs a
// failure, and tries again at the next Open.
func (g *guardFS) Remove(name string) error {
	return g.removal(func() error {
		if err := g.drop(name); err != nil {
			return err
		}
		return g.FS.Remove(name)
	})
}

func (g *guardFS) RemoveAll(name string) error {
	return g.removal(func() error { return g.FS.RemoveAll(name) })
}

func (g *guardFS) removal(do func() error) error {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.fenced || g.broken() != nil {
		return nil
	}
	return do()
}

// drop removes a file from the state of the folder.
func (g *guardFS) drop(name string) error {
	if g.running == nil {
		return nil
	}
	return g.running.drop(g.PathBase(name))
}

// record changes the state of the folder. A state that can neither be changed nor removed breaks the
// database: it would not hold for later writes.
func (g *guardFS) record(do func(*running) error) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	if g.running == nil || g.fenced || g.broken() != nil {
		return
	}
	if err := do(g.running); err != nil {
		g.fail(err)
	}
}

// named is called when the name of a log or manifest is durable.
func (g *guardFS) named(name string) {
	g.record(func(r *running) error { return r.named(g.PathBase(name)) })
}

func (g *guardFS) Unwrap() vfs.FS { return g.FS }

// guardedFile is a file opened for writing, or a directory.
type guardedFile struct {
	vfs.File
	fs   *guardFS
	name string
	// void files could not be opened in a broken database, and drop all writes.
	void bool
	// tracked is not nil for logs and manifests.
	tracked *tracked
}

func (f *guardedFile) change(do func() error) error {
	if f.void {
		return nil
	}
	_, err := f.fs.change(f.name, do)
	return err
}

// sync runs one of the ways to put the whole file on the disk.
func (f *guardedFile) sync(do func() error) error {
	sofar := f.tracked.sofar()
	return f.change(func() error {
		err := do()
		if err == nil {
			f.tracked.reached(sofar)
		}
		return err
	})
}

func (f *guardedFile) Write(p []byte) (n int, err error) {
	n = len(p)
	err = f.change(func() (err error) {
		then := f.tracked.with(p) // a file may use p for its own purposes
		if n, err = f.File.Write(p); err == nil {
			f.tracked.wrote(then)
		}
		return err
	})
	if err != nil {
		return n, err
	}
	return len(p), nil
}

func (f *guardedFile) WriteAt(p []byte, off int64) (n int, err error) {
	n = len(p)
	if err := f.change(func() (err error) { n, err = f.File.WriteAt(p, off); return err }); err != nil {
		return n, err
	}
	return len(p), nil
}

func (f *guardedFile) Preallocate(offset, length int64) error {
	return f.change(func() error { return f.File.Preallocate(offset, length) })
}

func (f *guardedFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *guardedFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *guardedFile) SyncTo(length int64) (full bool, err error) {
	err = f.change(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}

func (f *guardedFile) Close() error {
	if f.void {
		return nil
	}
	err := f.File.Close()
	if err == nil || isTable(f.name) && f.fs.broken() == nil && !f.fs.opening.Load() && !f.fs.closing.Load() {
		return err
	}
	f.fs.fail(err)
	return nil
}
