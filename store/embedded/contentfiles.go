package embedded

import (
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
)

// contentFiles holds the files of large contents. Safe for concurrent use.
type contentFiles struct {
	fs      vfs.FS
	dir     string
	tmp     string        // folder of contents being written
	lastTmp atomic.Uint64 // number of the newest temporary file
	// compared is set once the files were compared with their rows, after Open and after failures that
	// may have left a file without a row.
	compared atomic.Bool

	mu   sync.Mutex
	made [256]bool // buckets that exist durably
}

func newContentFiles(cfg Config) *contentFiles {
	dir := cfg.FS.PathJoin(cfg.Dir, contentDir)
	return &contentFiles{fs: cfg.FS, dir: dir, tmp: cfg.FS.PathJoin(dir, tmpDir)}
}

// create makes a temporary file.
func (f *contentFiles) create() (path string, file vfs.File, err error) {
	path = f.fs.PathJoin(f.tmp, strconv.FormatUint(f.lastTmp.Add(1), 10)+tmpSuffix)
	file, err = f.fs.Create(path, vfs.WriteCategoryUnspecified)
	return path, file, err
}

// discard removes a temporary file.
func (f *contentFiles) discard(path string) error { return f.fs.Remove(path) }

// removeTemporary removes the temporary files of deliveries interrupted by a crash. The lock on the folder
// is held, so no process is writing.
func (f *contentFiles) removeTemporary() error {
	names, err := f.fs.List(f.tmp)
	if err != nil {
		return err
	}
	for _, name := range names {
		if strings.HasSuffix(name, tmpSuffix) {
			if err := f.fs.Remove(f.fs.PathJoin(f.tmp, name)); err != nil {
				return err
			}
		}
	}
	return nil
}

// bucket returns the folder of the file of a message, named by an octet that is random in each id.
func (f *contentFiles) bucket(id mail.MessageID) string {
	return f.fs.PathJoin(f.dir, hex.EncodeToString(id[9:10]))
}

// isBucket reports whether a name is the name of a bucket.
func isBucket(name string) bool {
	n, err := hex.DecodeString(name)
	return err == nil && len(n) == 1 && name == hex.EncodeToString(n)
}

// path returns the path of the file of a large content. The nonce in its name keeps a second put of a
// content from replacing the file of the first put.
func (f *contentFiles) path(id mail.MessageID, nonce [8]byte) string {
	return f.fs.PathJoin(f.bucket(id), id.String()+"-"+hex.EncodeToString(nonce[:])+fileSuffix)
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
func (f *contentFiles) adopt(tmp string, id mail.MessageID, nonce [8]byte) error {
	bucket := f.bucket(id)
	if err := f.makeBucket(id[9], bucket); err != nil {
		return err
	}
	if err := f.fs.Rename(tmp, f.path(id, nonce)); err != nil {
		return err
	}
	return syncDir(f.fs, bucket)
}

// makeBucket makes a folder for files, durably, on first use.
func (f *contentFiles) makeBucket(n byte, name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.made[n] {
		return nil
	}
	if err := f.fs.MkdirAll(name, 0o700); err != nil {
		return err
	}
	if err := syncDir(f.fs, f.dir); err != nil {
		return err
	}
	f.made[n] = true
	return nil
}

// open opens the file with a path.
func (f *contentFiles) open(path string) (vfs.File, error) {
	return f.fs.Open(path, vfs.SequentialReadsOption)
}

// remove removes the file of a content. A missing file is no error.
func (f *contentFiles) remove(id mail.MessageID, nonce [8]byte) error {
	if err := f.fs.Remove(f.path(id, nonce)); err != nil && !isNotExist(err) {
		return err
	}
	return nil
}

// suspect records that a file without a row may exist.
func (f *contentFiles) suspect() { f.compared.Store(false) }

// each calls fn for each file with a name of a content, until fn returns false.
func (f *contentFiles) each(fn func(path string, id mail.MessageID, nonce [8]byte) (bool, error)) error {
	buckets, err := f.fs.List(f.dir)
	if err != nil {
		return err
	}
	for _, bucket := range buckets {
		if !isBucket(bucket) { // tmpDir, or a foreign name
			continue
		}
		dir := f.fs.PathJoin(f.dir, bucket)
		names, err := f.fs.List(dir)
		if err != nil {
			return err
		}
		for _, name := range names {
			id, nonce, ok := fileID(name)
			if !ok {
				continue
			}
			if more, err := fn(f.fs.PathJoin(dir, name), id, nonce); err != nil || !more {
				return err
			}
		}
	}
	return nil
}

// removeAt removes the file with a path and returns its size in octets.
func (f *contentFiles) removeAt(path string) (int64, error) {
	info, err := f.fs.Stat(path)
	if err != nil {
		return 0, err
	}
	return info.Size(), f.fs.Remove(path)
}

// inspect checks that the file of a content exists with the right length.
func (f *contentFiles) inspect(id mail.MessageID, row contentRow) (damage, err error) {
	path := f.path(id, row.nonce)
	info, err := f.fs.Stat(path)
	switch {
	case isNotExist(err):
		return translate(fmt.Errorf("%w: missing", errBadFile), path), nil
	case err != nil:
		return nil, err
	case info.Size() != row.fileLength():
		return translate(fmt.Errorf("%w: %d octets, not %d", errBadFile, info.Size(), row.fileLength()), path), nil
	}
	return nil, nil
}
