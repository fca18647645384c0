package embedded

import (
	"bytes"
	"log/slog"
	"strings"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
)

// diskFS is a file system with a given amount of free space.
type diskFS struct {
	vfs.FS
	free uint64
}

func (f *diskFS) GetDiskUsage(string) (vfs.DiskUsage, error) {
	return vfs.DiskUsage{AvailBytes: f.free}, nil
}

// TestSpaceLog: the log says once that mail is refused for lack of space, also at the limit, and once that mail is
// taken again.
func TestSpaceLog(t *testing.T) {
	var log bytes.Buffer
	disk := &diskFS{FS: vfs.NewMem()}
	h := housekeeper{
		space:  newSpace(Config{FS: disk, Reserve: 1000}),
		logger: slog.New(slog.NewTextHandler(&log, nil)),
	}
	for _, look := range []struct {
		free uint64
		want string // a part of the new log line; empty: there is none
	}{
		{5000, ""},
		{999, "mail is refused until there is space"},
		{1000, ""}, {998, ""}, {1100, ""}, {997, ""},
		{1200, "has space again: mail is taken"},
		{1000, ""},
		{0, "mail is refused until there is space"},
	} {
		log.Reset()
		disk.free = look.free
		h.report()
		if got := log.String(); !strings.Contains(got, look.want) || look.want == "" && got != "" {
			t.Errorf("at %d free octets the log got %q, want %q", look.free, got, look.want)
		}
	}
}
