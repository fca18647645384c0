package embedded

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
)

// checkSpace returns ErrFull if the free space of the disk is below the reserve. File systems in memory are
// never full.
func (s *Store) checkSpace(what string) error {
	if s.cfg.Reserve < 0 {
		return nil
	}
	u, err := s.cfg.FS.GetDiskUsage(s.cfg.Dir)
	if err != nil || u.AvailBytes >= uint64(s.cfg.Reserve) {
		return nil
	}
	return fmt.Errorf("embedded: %s: %w: %d octets free, fewer than the reserve of %d",
		what, store.ErrFull, u.AvailBytes, s.cfg.Reserve)
}

// roomToOpen reports whether the disk has space for the memory tables, and a name for a file, so that the
// database may be opened for writing.
func (s *Store) roomToOpen() bool {
	fs := s.cfg.FS
	if u, err := fs.GetDiskUsage(s.cfg.Dir); err == nil && s.cfg.Reserve >= 0 &&
		u.AvailBytes < min(uint64(s.cfg.Reserve), 2*s.cfg.MemTableSize) {
		return false
	}
	name := fs.PathJoin(s.dirs.tmp, "probe"+tmpSuffix)
	f, err := fs.Create(name, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), fs.Remove(name)) == nil
}

// FreeSpace returns the free space of the disk of a folder, in octets. It may be called beside an open
// store.
func FreeSpace(dir string) (int64, error) {
	if _, err := os.Stat(dir); err != nil {
		return 0, err
	}
	u, err := vfs.Default.GetDiskUsage(dir)
	if err != nil {
		return 0, fmt.Errorf("embedded: free space of %s: %w", dir, err)
	}
	return int64(min(u.AvailBytes, math.MaxInt64)), nil
}
