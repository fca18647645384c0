package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"syscall"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store/codec"
)

// Names in the data folder.
const (
	formatFile  = "FORMAT"
	dbDir       = "db"
	lockFile    = "LOCK" // in dbDir
	contentDir  = "content"
	tmpDir      = "tmp"
	tmpSuffix   = ".tmp"
	fileSuffix  = ".msg"
	formatLine  = "popelago embedded store, format %d\n"
	formatRaw   = 1 // all contents are raw
	formatCoded = 2 // contents may be coded, see contentRow
	formatKnown = formatCoded
)

// folder holds the lock on the data folder.
type folder struct {
	fs     vfs.FS
	dir    string
	wanted int // format that new contents need
	logger *slog.Logger
	lock   *pebble.Lock // nil until open
	format int          // after open
	gone   bool         // after open: the contents are gone, see contentsGone
}

func newFolder(cfg Config) *folder {
	f := &folder{fs: cfg.FS, dir: cfg.Dir, wanted: formatRaw, logger: cfg.Logger}
	if cfg.Compression != codec.MethodNone {
		f.wanted = formatCoded
	}
	return f
}

// open makes a missing folder with the folders of files, locks the folder and checks its format. If the contents are gone,
// engine.makeContents makes the folders of files. close must follow unless open fails.
func (f *folder) open(files *contentFiles) (err error) {
	if err := makeFolder(f.fs, f.dir); err != nil {
		return err
	}
	if f.gone, err = contentsGone(f.fs, f.dir); err != nil {
		return err
	}
	db := f.fs.PathJoin(f.dir, dbDir)
	if err := f.fs.MkdirAll(db, 0o700); err != nil {
		return err
	}
	if !f.gone {
		if err := makeAll(f.fs, files); err != nil {
			return err
		}
	}
	f.lock, err = pebble.LockDirectory(db, f.fs)
	if err != nil {
		if isLocked(err) {
			return fmt.Errorf("%w: %s: %w", ErrLocked, f.dir, err)
		}
		return err
	}
	defer func() {
		if err != nil {
			f.lock.Close()
		}
	}()
	if f.format, err = openFormat(f.fs, f.dir, f.wanted); err != nil {
		return err
	}
	if f.format < f.wanted {
		f.raiseFormat()
	}
	if f.gone {
		return f.sync(f.dir, f.fs.PathDir(f.dir))
	}
	if err := f.sync(files.dir, f.dir, f.fs.PathDir(f.dir)); err != nil {
		return err
	}
	return files.removeTemporary()
}

// makeFiles makes the folders of files durably.
func (f *folder) makeFiles(files *contentFiles) error {
	if err := makeAll(f.fs, files); err != nil {
		return err
	}
	return f.sync(files.dir, f.dir)
}

func makeAll(fs vfs.FS, files *contentFiles) error {
	if err := fs.MkdirAll(files.dir, 0o700); err != nil {
		return err
	}
	return fs.MkdirAll(files.tmp, 0o700)
}

func (f *folder) sync(dirs ...string) error {
	for _, dir := range dirs {
		if err := syncDir(f.fs, dir); err != nil {
			return err
		}
	}
	return nil
}

// raiseFormat raises the format of a folder of an earlier version. Without success, new contents stay raw until
// the next start.
func (f *folder) raiseFormat() {
	if err := writeFormat(f.fs, f.dir, f.wanted); err != nil {
		f.logger.Warn("embedded store: contents are not compressed: the format of the folder cannot be raised", "cause", err)
		return
	}
	f.logger.Info("embedded store: the folder has a new format for compressed contents; earlier versions refuse it", "format", f.wanted)
	f.format = f.wanted
}

// close ends the lock.
func (f *folder) close() error { return f.lock.Close() }

// isLocked reports whether a lock is held by another process (or by this one).
func isLocked(err error) bool {
	return errors.Is(err, syscall.EAGAIN) || // EACCES is a matter of file modes
		strings.Contains(err.Error(), "lock held by current process")
}

// makeFolder makes a folder and its missing parents durably.
func makeFolder(fs vfs.FS, name string) error {
	var above []string
	for dir := name; ; {
		_, err := fs.Stat(dir)
		if err == nil {
			break
		}
		parent := fs.PathDir(dir)
		if !isNotExist(err) || parent == dir {
			return err
		}
		above = append(above, parent)
		dir = parent
	}
	if err := fs.MkdirAll(name, 0o700); err != nil {
		return err
	}
	for _, dir := range above {
		if err := syncDir(fs, dir); err != nil {
			return err
		}
	}
	return nil
}

func syncDir(fs vfs.FS, name string) error {
	f, err := fs.OpenDir(name)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}

func isNotExist(err error) bool { return err != nil && oserror.IsNotExist(err) }
