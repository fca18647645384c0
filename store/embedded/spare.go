package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// The spare is space reserved for a full disk. Opening the database for writing needs some octets and names;
// without them mail could be read but not removed. The spare is given up when the database cannot be
// opened, and made again once there is space.
//
//	DIR/spare/0.spare ... 7.spare    1 MiB each, of random octets
const (
	spareDir    = "spare"
	spareSuffix = ".spare"
	spareFiles  = 8
	spareSize   = 1 << 20
)

// spare keeps the files of the spare. Safe for concurrent use.
type spare struct {
	fs     vfs.FS
	dir    string
	space  *space
	logger *slog.Logger

	mu   sync.Mutex
	kept bool // all files exist
}

func newSpare(cfg Config, sp *space) *spare {
	return &spare{fs: cfg.FS, dir: cfg.FS.PathJoin(cfg.Dir, spareDir), space: sp, logger: cfg.Logger}
}

func (s *spare) name(i int) string { return s.fs.PathJoin(s.dir, fmt.Sprint(i)+spareSuffix) }

// giveUp frees the spare. It reports whether a spare existed.
func (s *spare) giveUp() (given bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.kept = false
	for i := range spareFiles {
		given = s.fs.Remove(s.name(i)) == nil || given
	}
	return given
}

// keep makes missing files, if the reserve and twice the spare stay free. A failed file is made later.
func (s *spare) keep() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.kept {
		return
	}
	if !s.space.has(2 * spareFiles * spareSize) {
		return
	}
	if err := s.makeFiles(); err != nil {
		s.logger.Debug("embedded store: cannot keep space for a full disk", "cause", err)
		return
	}
	s.kept = true
}

// sparePiece is the size of one write to a file of the spare, in octets.
const sparePiece = 64 << 10

func (s *spare) makeFiles() error {
	if err := s.fs.MkdirAll(s.dir, 0o700); err != nil {
		return err
	}
	piece := make([]byte, sparePiece)
	for i := range spareFiles {
		if info, err := s.fs.Stat(s.name(i)); err == nil && info.Size() == spareSize {
			continue
		}
		f, err := s.fs.Create(s.name(i), vfs.WriteCategoryUnspecified)
		if err != nil {
			return err
		}
		for n := 0; n < spareSize && err == nil; n += sparePiece {
			rand.Read(piece) // a file system may store zeros or repetitions without space
			_, err = f.Write(piece)
		}
		if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return nil
}
