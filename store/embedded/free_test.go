package embedded_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
)

// removeAll removes all messages of the ledger's mailboxes.
func removeAll(t *testing.T, l *ledger, s *embedded.Store) {
	t.Helper()
	for mb := range ledgerMailboxes {
		rows, err := storetest.List(l.ctx, s, benchMailbox(mb), 10_000)
		if err != nil {
			t.Fatal(err)
		}
		var ids []mail.MessageID
		for _, m := range rows {
			ids = append(ids, m.ID)
		}
		if len(ids) == 0 {
			continue
		}
		l.mark(func(id mail.MessageID) { l.removeTried[ledgerKey{mb, id}] = true }, ids)
		if err := s.RemoveMessages(l.ctx, benchMailbox(mb), ids); err != nil {
			t.Fatalf("RemoveMessages on a full disk: %v", err)
		}
	}
}

// wantMailAgain waits until mail is accepted.
func wantMailAgain(t *testing.T, l *ledger, s *embedded.Store) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		id := l.ids.Next()
		return deliver(l.ctx, s, id, benchMailbox(9), ledgerData(id, 200_000))
	})
}

// TestDrainedDiskTakesMail fills a disk with mail, small or large, and drains it: mail is
// accepted again without a Sweep. A session that reads a removed content reads it to its end.
func TestDrainedDiskTakesMail(t *testing.T) {
	for _, size := range []int{30_000, 300_000} {
		t.Run(fmt.Sprint(size), func(t *testing.T) {
			disk := mountDisk(t, "size=32m")
			s := open(t, embedded.Config{Dir: filepath.Join(disk, "data"), MemTableSize: 1 << 20,
				Reserve: 12 << 20, SpaceEvery: 10 * time.Millisecond})
			defer s.Close()
			l := newLedger(t.Context())
			var first mail.MessageID
			for i := 0; ; i++ {
				id := l.ids.Next()
				err := deliver(l.ctx, s, id, benchMailbox(i%ledgerMailboxes), ledgerData(id, size))
				if errors.Is(err, store.ErrFull) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				if i == 0 {
					first = id
				}
			}
			_, reading, err := s.OpenContent(l.ctx, first, "")
			if err != nil {
				t.Fatal(err)
			}
			defer reading.Close()
			removeAll(t, l, s)
			wantMailAgain(t, l, s)
			if got, err := io.ReadAll(reading); err != nil || !bytes.Equal(got, ledgerData(first, size)) {
				t.Errorf("a content that was being read: %d octets, %v", len(got), err)
			}
		})
	}
}

// TestSpare starts on a full disk in the space of the spare: mail can be removed, and is accepted again
// once the disk has room. Then the spare is made again.
func TestSpare(t *testing.T) {
	for name, fill := range map[string]func(*testing.T, string) func(){"octets": fillOctets, "inodes": fillInodes} {
		t.Run(name, func(t *testing.T) {
			disk := mountDisk(t, "size=64m,nr_inodes=600")
			cfg := embedded.Config{Dir: filepath.Join(disk, "data"), MemTableSize: 1 << 20, Reserve: 12 << 20, SpaceEvery: 10 * time.Millisecond}
			spare := filepath.Join(cfg.Dir, "spare", "7.spare")
			wantSpare := func() {
				t.Helper()
				mailtest.WaitFor(t, 10*time.Minute, func() error { _, err := os.Stat(spare); return err })
			}
			s := open(t, cfg)
			l := newLedger(t.Context())
			var last mail.MessageID
			for range 40 {
				var err error
				if last, err = l.deliver(s, 300_000, 0); err != nil {
					t.Fatal(err)
				}
			}
			wantSpare()
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			back := fill(t, disk)
			s = open(t, cfg)
			defer s.Close()
			f := l.snapshot()
			if err := verify(l.ctx, s, f, f); err != nil {
				t.Errorf("reading on a full disk: %v", err)
			}
			if err := s.RemoveMessages(l.ctx, benchMailbox(0), []mail.MessageID{last}); err != nil {
				t.Errorf("RemoveMessages: %v", err)
			}
			removeAll(t, l, s)
			back()
			wantMailAgain(t, l, s)
			wantSpare()
		})
	}
}

// TestFreeOnlySettled: while space is short a removed content is reclaimed early only if all its mailboxes
// have removed the message, and not before the end of the undelete window.
func TestFreeOnlySettled(t *testing.T) {
	fs := newFaultFS(vfs.NewMem())
	cfg := small(fs)
	cfg.Reserve, cfg.SpaceEvery = 1000, time.Millisecond
	s := open(t, cfg)
	defer s.Close()
	ctx := t.Context()
	ids := mail.NewIDSource(nil)
	put := func(added int, mailboxes ...mail.MailboxID) mail.MessageID {
		t.Helper()
		id := ids.Next()
		if err := storetest.Put(ctx, s, id, ledgerData(id, 1000), 1000, store.ContentInfo{Mailboxes: mailboxes}); err != nil {
			t.Fatal(err)
		}
		for _, mb := range mailboxes[:added] {
			if err := s.AddMessages(ctx, []store.Entry{{Mailbox: mb, Message: mail.Message{ID: id, Size: 1000}}})[0]; err != nil {
				t.Fatal(err)
			}
		}
		return id
	}
	a, b := benchMailbox(0), benchMailbox(1)
	half := put(1, a, b) // the row of b has not been added yet
	kept := put(2, a, b) // b keeps the message
	gone := put(2, a, b) // a and b remove the message
	alone := put(1, a)   // the last to be removed
	remove := func(mb mail.MailboxID, id mail.MessageID) {
		t.Helper()
		if err := s.RemoveMessages(ctx, mb, []mail.MessageID{id}); err != nil {
			t.Fatal(err)
		}
	}
	fs.used.Store(&vfs.DiskUsage{AvailBytes: 999})
	for _, id := range []mail.MessageID{half, kept, gone} {
		remove(a, id)
	}
	remove(b, gone)
	remove(a, alone)
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if _, _, err := storetest.Read(ctx, s, alone); !errors.Is(err, store.ErrNotFound) {
			return fmt.Errorf("the content removed last: %v", err)
		}
		return nil
	})
	if _, _, err := storetest.Read(ctx, s, gone); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("a content that both removed: %v", err)
	}
	for what, id := range map[string]mail.MessageID{"one whose delivery is under way": half, "one that is in a mailbox": kept} {
		if _, _, err := storetest.Read(ctx, s, id); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	fs.used.Store(nil)
	if err := s.AddMessages(ctx, []store.Entry{{Mailbox: b, Message: mail.Message{ID: half, Size: 1000}}})[0]; err != nil {
		t.Error(err)
	}
	if _, data, err := storetest.Read(ctx, s, half); err != nil || len(data) != 1000 {
		t.Errorf("the delivery that was under way: %d octets, %v", len(data), err)
	}
}
