package embedded

import (
	"errors"
	"fmt"
	"math"
	"os"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store"
)

// space compares the free space of the disk with the reserve. File systems in memory are never full.
type space struct {
	fs       vfs.FS
	dir      string
	reserve  int64  // Config.Reserve
	memTable uint64 // Config.MemTableSize
	probe    string // path of a file that roomToOpen makes and removes
}

func newSpace(cfg Config) *space {
	probe := cfg.FS.PathJoin(cfg.Dir, contentDir, tmpDir, "probe"+tmpSuffix)
	return &space{fs: cfg.FS, dir: cfg.Dir, reserve: cfg.Reserve, memTable: cfg.MemTableSize, probe: probe}
}

// check returns ErrFull if the free space is below the reserve.
func (s *space) check(what string) error {
	if s.reserve < 0 {
		return nil
	}
	free, known := s.free()
	if !known || free >= uint64(s.reserve) {
		return nil
	}
	return fmt.Errorf("embedded: %s: %w: %d octets free, fewer than the reserve of %d", what, store.ErrFull, free, s.reserve)
}

// free returns the free space in octets. known is false if the file system does not say.
func (s *space) free() (octets uint64, known bool) {
	u, err := s.fs.GetDiskUsage(s.dir)
	return u.AvailBytes, err == nil
}

// has reports whether some octets are known to be free beside the reserve.
func (s *space) has(octets uint64) bool {
	free, known := s.free()
	return known && free >= uint64(max(s.reserve, 0))+octets
}

// roomToOpen reports whether the disk has space for the memory tables, and a name for a file, so that the
// database may be opened for writing.
func (s *space) roomToOpen() bool {
	if free, known := s.free(); known && s.reserve >= 0 && free < min(uint64(s.reserve), 2*s.memTable) {
		return false
	}
	f, err := s.fs.Create(s.probe, vfs.WriteCategoryUnspecified)
	if err != nil {
		return false
	}
	_, err = f.Write(make([]byte, 4096))
	return errors.Join(err, f.Close(), s.fs.Remove(s.probe)) == nil
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
