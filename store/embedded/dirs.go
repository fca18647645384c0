package embedded

import (
	"encoding/hex"
	"errors"
	"strings"
	"sync"

	"github.com/cockroachdb/errors/oserror"
	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
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
	formatKnown = 1
)

// dirs is the part of the data folder without the files of Pebble.
type dirs struct {
	fs      vfs.FS
	content string
	tmp     string
	mu      sync.Mutex
	made    [256]bool
}

// bucket returns the folder of the file of a message, named by an octet that is random in each id.
func (d *dirs) bucket(id mail.MessageID) string {
	return d.fs.PathJoin(d.content, hex.EncodeToString(id[9:10]))
}

// path returns the path of the file of a large content. The nonce in its name keeps a second put of a
// content from replacing the file of the first put.
func (d *dirs) path(id mail.MessageID, nonce [8]byte) string {
	return d.fs.PathJoin(d.bucket(id), id.String()+"-"+hex.EncodeToString(nonce[:])+fileSuffix)
}

// fileID returns the id and the nonce in the name of a content file.
func fileID(name string) (id mail.MessageID, nonce [8]byte, ok bool) {
	name, ok = strings.CutSuffix(name, fileSuffix)
	if !ok || len(name) != 36+1+16 || name[36] != '-' {
		return id, nonce, false
	}
	id, idErr := mail.ParseMessageID(name[:36])
	n, nonceErr := hex.Decode(nonce[:], []byte(name[37:]))
	return id, nonce, idErr == nil && nonceErr == nil && n == len(nonce)
}

// adopt gives a finished temporary file the name of its message, durably.
func (d *dirs) adopt(tmp string, id mail.MessageID, nonce [8]byte) error {
	bucket := d.bucket(id)
	if err := d.makeBucket(id[9], bucket); err != nil {
		return err
	}
	if err := d.fs.Rename(tmp, d.path(id, nonce)); err != nil {
		return err
	}
	return syncDir(d.fs, bucket)
}

// makeBucket makes a folder for files, durably, on first use.
func (d *dirs) makeBucket(n byte, name string) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.made[n] {
		return nil
	}
	if err := d.fs.MkdirAll(name, 0o700); err != nil {
		return err
	}
	if err := syncDir(d.fs, d.content); err != nil {
		return err
	}
	d.made[n] = true
	return nil
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

func isPebbleNotFound(err error) bool { return errors.Is(err, pebble.ErrNotFound) }
