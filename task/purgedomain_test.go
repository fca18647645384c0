package task_test

import (
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// Late mail of an account whose domain was removed, too, is reported, kept and purged like late mail
// of other accounts, whether or not the domain is hosted again. Mail from before the removal goes at
// once.
func TestPurgeOfARemovedDomain(t *testing.T) {
	for _, again := range []bool{false, true} {
		st := openStore(t)
		dir := newDirectory(t, st)
		ids := mail.NewIDSource(nil)
		alice := newAccount(t, dir, "alice")
		add(t, st, ids, alice.Mailbox)
		removeAccount(t, dir, alice)
		if err := dir.RemoveDomain(t.Context(), "example.test"); err != nil {
			t.Fatal(err)
		}
		add(t, st, ids, alice.Mailbox)
		var second mail.MailboxID
		if again {
			a := newAccount(t, dir, "alice")
			second = a.Mailbox
			add(t, st, ids, second)
		}
		var log mailtest.Log
		now := time.Now().Add(time.Second)
		job := task.Purge(task.PurgeConfig{
			Late: time.Hour, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
		}, dir, store.Single(st), nil)
		want := task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 1}, {Name: "late", N: 1}}
		if report := run(t, job); !slices.Equal(report, want) {
			t.Errorf("again %v: report %v, want %v", again, report, want)
		}
		if text := log.String(); !strings.Contains(text, "accepted for an account that had ended") || !strings.Contains(text, "address=alice@example.test") {
			t.Errorf("again %v: nobody hears of late mail:\n%s", again, text)
		}
		now = now.Add(2 * time.Hour)
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "messages", N: 1}}) || count(t, st, alice.Mailbox) != 0 {
			t.Errorf("again %v: when its time is over: %v, %d left", again, report, count(t, st, alice.Mailbox))
		}
		if again && count(t, st, second) != 1 {
			t.Errorf("the new account has %d messages, want 1", count(t, st, second))
		}
	}
}

// placed is the mail in one of several datacenters with the same data.
type placed struct {
	store.Mail
	origin string
}

func (p *placed) Origin() string { return p.origin }

// One server of the cluster reports late mail, once: not one of each datacenter, nor after each
// restart. A server of another datacenter reports only if no server runs in the accepting datacenter.
func TestLateMailIsReportedOnce(t *testing.T) {
	for _, tt := range []struct {
		name  string
		alive []string // running servers, by their datacenters
	}{
		{"all run", []string{"dc2", "dc1", "dc3"}},
		{"the datacenter is away that accepted it", []string{"dc2", "dc3"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			st := openStore(t)
			dir := newDirectory(t, st)
			var ids *mail.IDSource
			alice := newAccount(t, dir, "alice")
			removeAccount(t, dir, alice)
			late := func() {
				m := mail.Message{ID: ids.Next(), Size: 1, Origin: "dc1", Recipient: "alice@example.test"}
				if err := st.AddMessages(t.Context(), []store.Entry{{Mailbox: alice.Mailbox, Message: m}})[0]; err != nil {
					t.Fatal(err)
				}
			}
			var log mailtest.Log
			now := time.Now().Add(time.Second)
			ids = mail.NewIDSource(func() time.Time { return now })
			start := func() (jobs []task.Job) {
				for _, origin := range tt.alive {
					jobs = append(jobs, task.Purge(task.PurgeConfig{
						Late: 7 * 24 * time.Hour, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)).With("from", origin),
					}, dir, storetest.WithMail(store.Single(st), &placed{st, origin}), nil))
				}
				return jobs
			}
			said := func() int { return strings.Count(log.String(), "is kept for a while") }
			day := func() {
				for range 12 {
					for range 3 { // three runs of each server
						for _, job := range start() { // restarted each time
							if report := run(t, job); len(report) != 1 || report[0].Name != "late" {
								t.Errorf("report %v", report)
							}
						}
					}
					now = now.Add(2 * time.Hour)
				}
			}
			late()
			late()
			day()
			if n := said(); n != 1 || !strings.Contains(log.String(), "messages=2") {
				t.Errorf("said %d times:\n%s", n, log.String())
			}
			late()
			day()
			if n := said(); n != 2 || !strings.Contains(log.String(), "messages=3") {
				t.Errorf("said %d times when there was more:\n%s", n, log.String())
			}
		})
	}
}
