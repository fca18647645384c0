package servertest

import (
	"fmt"
	"syscall"
	"testing"
)

// SmallDisk is a folder on a file system of its own in memory, with so many octets and 2,000
// inodes. Mounting needs root: without root the test is skipped, or fails if CI=true.
func SmallDisk(t testing.TB, octets int64) string {
	t.Helper()
	NeedRoot(t)
	dir := PublicDir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d,nr_inodes=2000", octets)); err != nil {
		Cannot(t, fmt.Sprintf("cannot mount a tmpfs: %v", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}
