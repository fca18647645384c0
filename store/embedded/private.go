package embedded

import (
	"errors"
	"io"
	"io/fs"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// privateFS makes files that only this user can read and write, for every umask: mail is private, and the
// default mode would allow all users to read. privateFS opens only files and folders.
type privateFS struct{ vfs.FS }

// privateMode is the mode of all files in the data folder. Folders have 0700.
const privateMode = 0o600

// private limits the mode of a new file. A file in memory has no mode.
func private(name string, f vfs.File, err error) (vfs.File, error) {
	if err != nil || f.Fd() == vfs.InvalidFd {
		return f, err
	}
	if err := os.Chmod(name, privateMode); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

// ordinary returns an error for a name that is neither a file nor a folder. The opening of a named pipe would wait without end, and
// the reading of a device may not end.
func (p privateFS) ordinary(name string) error {
	if info, err := p.FS.Stat(name); err == nil && info.Mode()&(fs.ModeNamedPipe|fs.ModeDevice|fs.ModeSocket|fs.ModeIrregular) != 0 {
		return &fs.PathError{Op: "open", Path: name, Err: errNoFile}
	}
	return nil // the opening reports a failed Stat
}

var errNoFile = errors.New("it is a pipe, a device or a socket: remove it, and bring the file back")

func (p privateFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := p.ordinary(name); err != nil {
		return nil, err
	}
	return p.FS.Open(name, opts...)
}

func (p privateFS) OpenDir(name string) (vfs.File, error) {
	if err := p.ordinary(name); err != nil {
		return nil, err
	}
	return p.FS.OpenDir(name)
}

func (p privateFS) List(dir string) ([]string, error) {
	if err := p.ordinary(dir); err != nil {
		return nil, err
	}
	return p.FS.List(dir)
}

func (p privateFS) Create(name string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.Create(name, c)
	return private(name, f, err)
}

func (p privateFS) OpenReadWrite(name string, c vfs.DiskWriteCategory, opts ...vfs.OpenOption) (vfs.File, error) {
	if err := p.ordinary(name); err != nil {
		return nil, err
	}
	f, err := p.FS.OpenReadWrite(name, c, opts...)
	return private(name, f, err)
}

func (p privateFS) ReuseForWrite(oldname, newname string, c vfs.DiskWriteCategory) (vfs.File, error) {
	f, err := p.FS.ReuseForWrite(oldname, newname, c)
	return private(newname, f, err)
}

func (p privateFS) Lock(name string) (io.Closer, error) {
	l, err := p.FS.Lock(name)
	if err == nil && vfs.Root(p.FS) == vfs.Default {
		if err = os.Chmod(name, privateMode); err != nil {
			return nil, errors.Join(err, l.Close())
		}
	}
	return l, err
}

func (p privateFS) Unwrap() vfs.FS { return p.FS }
