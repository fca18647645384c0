package embedded_test

import (
	"os"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// faultFS calls hook before every operation that changes a file or folder. An error of hook is the error of
// the operation. A failing write has written half of its octets.
type faultFS struct {
	vfs.FS
	hook atomic.Pointer[func(op, name string) error]
	used atomic.Pointer[vfs.DiskUsage]
}

func newFaultFS(fs vfs.FS) *faultFS { return &faultFS{FS: fs} }

func (f *faultFS) set(hook func(op, name string) error) {
	if hook == nil {
		f.hook.Store(nil)
		return
	}
	f.hook.Store(&hook)
}

func (f *faultFS) call(op, name string) error {
	if h := f.hook.Load(); h != nil {
		return (*h)(op, name)
	}
	return nil
}

// failNth returns a hook that lets n operations pass and fails the next operation with err. hit returns
// the failed operation.
func failNth(n int, err error) (hook func(op, name string) error, hit func() string) {
	var mu sync.Mutex
	var what string
	left := n
	return func(op, name string) error {
			mu.Lock()
			defer mu.Unlock()
			left--
			if left != -1 {
				return nil
			}
			what = op + " " + name
			return err
		}, func() string {
			mu.Lock()
			defer mu.Unlock()
			return what
		}
}

func (f *faultFS) wrap(name string, file vfs.File, err error) (vfs.File, error) {
	if err != nil {
		return nil, err
	}
	return &faultFile{File: file, fs: f, name: name}, nil
}

func (f *faultFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.call("create", name); err != nil {
		return nil, err
	}
	file, err := f.FS.Create(name, c)
	return f.wrap(name, file, err)
}

func (f *faultFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := f.call("create", name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(name, c, opts...)
	return f.wrap(name, file, err)
}

func (f *faultFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	if err := f.call("reuse", newname); err != nil {
		return nil, err
	}
	// MemFS.ReuseForWrite takes a lock for reading twice: with a CrashClone in between both wait for ever.
	if err := f.FS.Rename(oldname, newname); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenReadWrite(newname, c)
	return f.wrap(newname, file, err)
}

func (f *faultFS) OpenDir(name string) (vfs.File, error) {
	if err := f.call("opendir", name); err != nil {
		return nil, err
	}
	file, err := f.FS.OpenDir(name)
	return f.wrap(name, file, err)
}

func (f *faultFS) Link(oldname, newname string) error {
	if err := f.call("link", newname); err != nil {
		return err
	}
	return f.FS.Link(oldname, newname)
}

func (f *faultFS) Remove(name string) error {
	if err := f.call("remove", name); err != nil {
		return err
	}
	return f.FS.Remove(name)
}

func (f *faultFS) Rename(oldname, newname string) error {
	if err := f.call("rename", newname); err != nil {
		return err
	}
	return f.FS.Rename(oldname, newname)
}

func (f *faultFS) MkdirAll(dir string, perm os.FileMode) error {
	if err := f.call("mkdir", dir); err != nil {
		return err
	}
	return f.FS.MkdirAll(dir, perm)
}

func (f *faultFS) GetDiskUsage(path string) (vfs.DiskUsage, error) {
	if u := f.used.Load(); u != nil {
		return *u, nil
	}
	return f.FS.GetDiskUsage(path)
}

func (f *faultFS) Unwrap() vfs.FS { return f.FS }

type faultFile struct {
	vfs.File
	fs   *faultFS
	name string
}

func (f *faultFile) Write(p []byte) (int, error) {
	if err := f.fs.call("write", f.name); err != nil {
		n, _ := f.File.Write(p[:len(p)/2])
		return n, err
	}
	return f.File.Write(p)
}

func (f *faultFile) sync(do func() error) error {
	if err := f.fs.call("sync", f.name); err != nil {
		return err
	}
	return do()
}

func (f *faultFile) Sync() error     { return f.sync(f.File.Sync) }
func (f *faultFile) SyncData() error { return f.sync(f.File.SyncData) }

func (f *faultFile) SyncTo(length int64) (full bool, err error) {
	err = f.sync(func() (err error) { full, err = f.File.SyncTo(length); return err })
	return full, err
}
