package task_test

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/task"
)

// folder is a data folder whose server keeps removed messages for a day.
type folder struct {
	*testing.T
	fs  vfs.FS
	st  *embedded.Store
	ids *mail.IDSource
	now time.Time
}

func newFolder(t *testing.T) *folder {
	f := &folder{T: t, fs: vfs.NewCrashableMem(), now: time.Now()}
	f.ids = mail.NewIDSource(f.clock)
	f.start()
	return f
}

func (f *folder) clock() time.Time { return f.now }

func (f *folder) start() {
	f.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: f.fs, Now: f.clock, MaxStop: -1})
	if err != nil {
		f.Fatal(err)
	}
	f.st = st
	f.Cleanup(func() { st.Close() })
}

// crash loses the power, and starts the server again.
func (f *folder) crash() {
	f.Helper()
	after := f.fs.(*vfs.MemFS).CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: 0, RNG: rand.New(rand.NewPCG(1, 2))})
	f.st.Close()
	f.fs = after
	f.start()
}

// restart ends the server in order, and starts it again.
func (f *folder) restart() {
	f.Helper()
	if err := f.st.Close(); err != nil {
		f.Fatal(err)
	}
	f.start()
}

func (f *folder) pass(d time.Duration) {
	f.Helper()
	f.now = f.now.Add(d)
	if err := f.st.TrustClock(f.Context()); err != nil {
		f.Fatal(err)
	}
}

// work runs the jobs, and returns the count of contents that they removed.
func (f *folder) work() (contents int64) {
	f.Helper()
	cfg := task.SweepConfig{Grace: store.LocalWindow, Undelete: day, Now: f.clock, Orphans: day}
	for _, job := range []task.Job{task.Reap(cfg, f.st), task.Orphans(cfg, f.st)} {
		for _, c := range run(f.T, job) {
			if c.Name == "contents" {
				contents += c.N
			}
		}
	}
	return contents
}

func (f *folder) put(mailbox mail.MailboxID, octets int) mail.MessageID {
	f.Helper()
	id := f.ids.Next()
	data := make([]byte, octets)
	r := rand.New(rand.NewPCG(1, 2))
	for i := range data {
		data[i] = byte(r.Uint32()) // not to be compressed
	}
	if err := storetest.Put(f.Context(), f.st, id, data, octets, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
		f.Fatal(err)
	}
	return id
}

// files counts the files of contents.
func (f *folder) files() (n int) {
	f.Helper()
	buckets, err := f.fs.List("data/content")
	if err != nil {
		f.Fatal(err)
	}
	for _, bucket := range buckets {
		if bucket = strings.TrimSuffix(bucket, "/"); len(bucket) != 2 {
			continue
		}
		names, err := f.fs.List("data/content/" + bucket)
		if err != nil {
			f.Fatal(err)
		}
		n += len(names)
	}
	return n
}

// Crashes leave contents without a message: files without a row, and rows. They go after the window of a delivery,
// also if the server restarts more often than removed messages may go.
func TestLeftoversDespiteRestarts(t *testing.T) {
	f := newFolder(t)
	f.put(mail.MailboxID{1}, 100_000)
	f.crash()
	f.put(mail.MailboxID{1}, 100_000) // a file
	f.put(mail.MailboxID{1}, 100)     // a row in the database
	f.restart()
	if n := f.work(); n != 0 || f.files() != 2 {
		t.Fatalf("%d contents of deliveries that may be in flight are removed, %d files are left", n, f.files())
	}
	for range 3 {
		f.pass(20 * time.Minute)
		f.put(mail.MailboxID{1}, 100) // in memory
		f.work()
		f.restart()
	}
	if n := f.files(); n != 0 {
		t.Errorf("%d files are left", n)
	}
	f.put(mail.MailboxID{1}, 100)
	f.pass(20 * time.Minute)
	if n := f.work(); n != 2 {
		t.Errorf("%d contents are removed, want the last two: all others have gone before", n)
	}
}

// The content of a removed message stays until it cannot be restored any more, also if the content was once stored
// without a message, and if other contents without a message go meanwhile.
func TestRemovedMessagesWait(t *testing.T) {
	f := newFolder(t)
	dir := newDirectory(t, f.st)
	bob := newAccount(t, dir, "bob")
	for _, octets := range []int{100, 100_000} {
		id := f.put(bob.Mailbox, octets)
		f.restart() // stores the content without a message
		m := mail.Message{ID: id, Size: int64(octets), Recipient: bob.Address.String()}
		m.Size += int64(len(m.Header("")))
		if err := f.st.AddMessages(t.Context(), []store.Entry{{Mailbox: bob.Mailbox, Message: m}})[0]; err != nil {
			t.Fatal(err)
		}
		if err := f.st.RemoveListed(t.Context(), bob.Mailbox, []mail.Message{m}); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			f.pass(20 * time.Minute)
			if n := f.work(); n != 0 {
				t.Errorf("%d octets: %d contents are removed", octets, n)
			}
			f.restart()
		}
		if _, _, err := storetest.Read(t.Context(), f.st, id); err != nil {
			t.Fatalf("%d octets: the removed message cannot be restored: %v", octets, err)
		}
		u := task.NewUndelete(task.UndeleteConfig{Window: day, IDs: f.ids, Now: f.clock}, newDirectory(t, f.st), store.Single(f.st))
		list, err := u.List(t.Context(), bob.Address, time.Time{}, "", 10)
		if err != nil || !slices.ContainsFunc(list.Messages, func(r task.RemovedMessage) bool { return r.Message.ID == id }) {
			t.Errorf("%d octets: removed messages: %+v, %v", octets, list, err)
		}
		f.pass(day)
		if n := f.work(); n != 1 {
			t.Errorf("%d octets: %d contents are removed after a day", octets, n)
		}
		if _, _, err := storetest.Read(t.Context(), f.st, id); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%d octets: %v", octets, err)
		}
	}
}
