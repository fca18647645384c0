package task_test

import (
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/task"
)

func openStore(t *testing.T) store.Engine {
	t.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { st.Close() })
	return st
}

// add stores a message for one mailbox and returns its id.
func add(t *testing.T, st store.Mail, ids *mail.IDSource, mailbox mail.MailboxID) mail.MessageID {
	t.Helper()
	c, err := st.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "Subject: x\r\n\r\n")
	id := ids.Next()
	if err := st.PutContent(t.Context(), id, c, store.ContentInfo{Mailboxes: []mail.MailboxID{mailbox}}); err != nil {
		t.Fatal(err)
	}
	err = st.AddMessages(t.Context(), []store.Entry{{Mailbox: mailbox, Message: mail.Message{ID: id, Size: 14, Recipient: "a@example.test"}}})[0]
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func newDirectory(t *testing.T, st store.Directory) *account.Directory {
	t.Helper()
	d, err := account.New(account.Config{Argon2Memory: 64, Argon2Time: 1}, store.OneLevel(st), nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// run does one run of a job.
func run(t *testing.T, job task.Job) task.Report {
	t.Helper()
	report, err := job.Run(t.Context(), false)
	if err != nil {
		t.Fatal(err)
	}
	return report
}

func count(t *testing.T, st store.Mailboxes, mailbox mail.MailboxID) int {
	t.Helper()
	n := 0
	var after mail.MessageID
	for {
		rows, more, err := st.ListMessages(t.Context(), mailbox, after, 1000)
		if err != nil {
			t.Fatal(err)
		}
		n += len(rows)
		if !more {
			return n
		}
		after = rows[len(rows)-1].ID
	}
}

func TestSweepLeavesYoungContentAlone(t *testing.T) {
	st := openStore(t)
	ids := mail.NewIDSource(nil)
	mailbox := mail.MailboxID{1}
	id := add(t, st, ids, mailbox)
	if err := st.RemoveMessages(t.Context(), mailbox, []mail.MessageID{id}); err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	cfg := task.SweepConfig{Grace: time.Minute, Now: func() time.Time { return now }}
	run(t, task.Reap(cfg, st))
	_, r, err := st.OpenContent(t.Context(), id, "")
	if err != nil {
		t.Fatalf("content was swept within the grace period: %v", err)
	}
	r.Close()
	now = now.Add(2 * time.Minute)
	cfg.Undelete = time.Hour
	if report := run(t, task.Reap(cfg, st)); len(report) > 0 {
		t.Errorf("within the undelete window: %v", report)
	}
	now = now.Add(time.Hour)
	report := run(t, task.Reap(cfg, st))
	if want := (task.Report{{"contents", 1}, {"octets", 14}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	if _, _, err := st.OpenContent(t.Context(), id, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("content after the grace period: %v, want not found", err)
	}
}
