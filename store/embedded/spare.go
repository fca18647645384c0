package embedded

import (
	"crypto/rand"
	"errors"
	"fmt"

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

func (s *Store) spareName(i int) string {
	return s.cfg.FS.PathJoin(s.cfg.Dir, spareDir, fmt.Sprint(i)+spareSuffix)
}

// giveUpSpare frees the spare. It reports whether a spare existed.
func (s *Store) giveUpSpare() (given bool) {
	s.spare.Lock()
	defer s.spare.Unlock()
	s.spare.kept = false
	for i := range spareFiles {
		given = s.cfg.FS.Remove(s.spareName(i)) == nil || given
	}
	return given
}

// keepSpare makes missing files of the spare, if twice the reserve stays free. A failed file is made
// later.
func (s *Store) keepSpare() {
	if s.readOnly() {
		return
	}
	s.spare.Lock() // never before s.mu: see reopen
	defer s.spare.Unlock()
	if s.spare.kept {
		return
	}
	u, err := s.cfg.FS.GetDiskUsage(s.cfg.Dir)
	if err != nil || u.AvailBytes < uint64(max(s.cfg.Reserve, 0))+2*spareFiles*spareSize {
		return
	}
	if err := s.makeSpare(); err != nil {
		s.cfg.Logger.Debug("embedded store: cannot keep space for a full disk", "cause", err)
		return
	}
	s.spare.kept = true
}

// sparePiece is the size of one write to a file of the spare, in octets.
const sparePiece = 64 << 10

func (s *Store) makeSpare() error {
	fs := s.cfg.FS
	if err := fs.MkdirAll(fs.PathJoin(s.cfg.Dir, spareDir), 0o700); err != nil {
		return err
	}
	piece := make([]byte, sparePiece)
	for i := range spareFiles {
		if info, err := fs.Stat(s.spareName(i)); err == nil && info.Size() == spareSize {
			continue
		}
		f, err := fs.Create(s.spareName(i), vfs.WriteCategoryUnspecified)
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
