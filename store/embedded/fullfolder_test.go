package embedded_test

import (
	"strings"
	"sync/atomic"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store/embedded"
)

// countFS counts the octets that are read from tables.
type countFS struct {
	vfs.FS
	read atomic.Int64
}

func (c *countFS) Open(name string, opts ...vfs.OpenOption) (vfs.File, error) {
	f, err := c.FS.Open(name, opts...)
	if err != nil || !strings.HasSuffix(name, ".sst") {
		return f, err
	}
	return &countFile{f, c}, nil
}

func (c *countFS) Unwrap() vfs.FS { return c.FS }

type countFile struct {
	vfs.File
	fs *countFS
}

func (f *countFile) ReadAt(p []byte, off int64) (int, error) {
	f.fs.read.Add(int64(len(p)))
	return f.File.ReadAt(p, off)
}

// While a full memory table is on its way to the disk, the cache keeps blocks all the same: deliveries to a folder with many
// removals read nothing again.
func TestCacheBesideMemTables(t *testing.T) {
	const memTable, mailboxes, each = 2 << 20, 2000, 20
	count := &countFS{FS: vfs.NewMem()}
	fs := newFaultFS(count)
	cfg := embedded.Config{Dir: "data", FS: fs, MemTableSize: memTable, CacheSize: 2 * memTable, Compression: "none"}
	s := open(t, cfg)
	ids := mail.NewIDSource(nil)
	for mb := range mailboxes {
		removed := make([]mail.MessageID, each)
		for i := range removed {
			removed[i] = ids.Next()
		}
		if err := s.RemoveMessages(t.Context(), benchMailbox(mb), removed); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil { // writes all tables
		t.Fatal(err)
	}
	s = open(t, cfg)
	written, goOn := make(chan struct{}, 1), make(chan struct{})
	defer func() {
		close(goOn)
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}()
	fs.set(func(op, name string) error {
		if op == "create" && strings.HasSuffix(name, ".sst") {
			select {
			case written <- struct{}{}:
			default:
			}
			<-goOn
		}
		return nil
	})
	text := octets(4096)
	send := func(n int) {
		t.Helper()
		if err := deliver(t.Context(), s, ids.Next(), benchMailbox(n%mailboxes), text); err != nil {
			t.Fatal(err)
		}
	}
	for n := 0; ; n++ {
		send(n)
		select {
		case <-written: // a memory table is full
		default:
			continue
		}
		break
	}
	for range 4 {
		before := count.read.Load()
		for n := range 100 {
			send(n)
		}
		if count.read.Load() == before {
			return
		}
	}
	t.Error("a delivery to the same mailbox reads a table again")
}
