package task_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// newAccount makes an account in example.test, and hosts the domain first if need be.
func newAccount(t *testing.T, dir *account.Directory, local string) account.Account {
	t.Helper()
	if _, err := dir.AddDomain(t.Context(), "example.test"); err != nil && !errors.Is(err, account.ErrExists) {
		t.Fatal(err)
	}
	a, err := dir.AddAccount(t.Context(), mail.Address{Local: local, Domain: "example.test"}, "password")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func removeAccount(t *testing.T, dir *account.Directory, a account.Account) {
	t.Helper()
	if err := dir.RemoveAccount(t.Context(), a.Address); err != nil {
		t.Fatal(err)
	}
}

func TestPurgeEmptiesOnlyMailboxesOfRemovedAccounts(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	ids := mail.NewIDSource(nil)
	alice, bob := newAccount(t, dir, "alice"), newAccount(t, dir, "bob")
	for range 1203 { // more than two pages
		add(t, st, ids, alice.Mailbox)
	}
	add(t, st, ids, bob.Mailbox)
	removeAccount(t, dir, alice)
	again := newAccount(t, dir, "alice")
	add(t, st, ids, again.Mailbox)

	now := time.Now()
	job := task.Purge(task.PurgeConfig{Window: time.Hour, Now: func() time.Time { return now }}, dir, store.Single(st), nil)
	if report := run(t, job); len(report) > 0 || count(t, st, alice.Mailbox) != 1203 {
		t.Errorf("within the in-flight window: %v", report)
	}
	now = now.Add(time.Hour + time.Minute)
	want := task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 1203}}
	if report := run(t, job); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	if report := run(t, job); len(report) > 0 {
		t.Errorf("a second run: %v", report)
	}
	if n := count(t, st, alice.Mailbox); n != 0 {
		t.Errorf("the removed account's mailbox still has %d messages", n)
	}
	if a, b := count(t, st, bob.Mailbox), count(t, st, again.Mailbox); a != 1 || b != 1 {
		t.Errorf("live mailboxes have %d and %d messages, want 1 each", a, b)
	}
}

// Mail accepted for an ended account is reported, and kept for a while.
func TestPurgeKeepsLateMail(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	ids := mail.NewIDSource(nil)
	alice := newAccount(t, dir, "alice")
	add(t, st, ids, alice.Mailbox)
	removeAccount(t, dir, alice)
	add(t, st, ids, alice.Mailbox)
	add(t, st, ids, alice.Mailbox)

	var log strings.Builder
	reg := prometheus.NewRegistry()
	now := time.Now().Add(time.Second)
	job := task.Purge(task.PurgeConfig{
		Late: 7 * 24 * time.Hour, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, dir, store.Single(st), reg)
	want := task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 1}, {Name: "late", N: 2}}
	if report := run(t, job); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	for _, part := range []string{"level=WARN", "address=alice@example.test", "mailbox=" + alice.Mailbox.String(), "messages=2"} {
		if !strings.Contains(log.String(), part) {
			t.Errorf("the log lacks %q:\n%s", part, log.String())
		}
	}
	if got := gather(t, reg)["late_messages"]; got != 2 {
		t.Errorf("metric %v, want 2", got)
	}
	// Late mail is reported once, and again when more arrives.
	run(t, job)
	add(t, st, mail.NewIDSource(func() time.Time { return now }), alice.Mailbox)
	run(t, job)
	if n := strings.Count(log.String(), "kept for a while"); n != 2 || count(t, st, alice.Mailbox) != 3 {
		t.Errorf("said %d times, %d kept:\n%s", n, count(t, st, alice.Mailbox), log.String())
	}
	now = now.Add(7*24*time.Hour - time.Minute)
	run(t, job)
	if n := count(t, st, alice.Mailbox); n != 3 {
		t.Errorf("%d kept after almost 7 days", n)
	}
	now = now.Add(2 * time.Minute)
	want = task.Report{{Name: "messages", N: 3}}
	if report := run(t, job); !slices.Equal(report, want) || count(t, st, alice.Mailbox) != 0 {
		t.Errorf("report %v, want %v; %d kept", report, want, count(t, st, alice.Mailbox))
	}
	if !strings.Contains(log.String(), "had ended was removed") || gather(t, reg)["late_messages"] != 0 {
		t.Errorf("the log:\n%s", log.String())
	}
}

// A clock that is ahead at a start, and that NTP puts right, ends no late mail.
func TestPurgeKeepsLateMailUntilTheClockIsSettled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		st := openStore(t)
		dir := newDirectory(t, st)
		alice := newAccount(t, dir, "alice")
		removeAccount(t, dir, alice)
		time.Sleep(time.Second)
		add(t, st, mail.NewIDSource(nil), alice.Mailbox)
		ahead := 20 * 24 * time.Hour
		job := task.Purge(task.PurgeConfig{
			Late: 7 * 24 * time.Hour, Settle: 15 * time.Minute, Now: func() time.Time { return time.Now().Add(ahead) },
		}, dir, store.Single(st), nil)
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "late", N: 1}}) {
			t.Errorf("at the start: %v", report)
		}
		time.Sleep(15 * time.Minute)
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "messages", N: 1}}) {
			t.Errorf("with a clock that stays: %v", report)
		}
	})
}

// A run that ends before it has reached a mailbox leaves the late mail in it known, and counted.
func TestPurgeCutShortKnowsLateMail(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	ids := mail.NewIDSource(nil)
	alice := newAccount(t, dir, "alice")
	removeAccount(t, dir, alice)
	add(t, st, ids, alice.Mailbox)
	reg := prometheus.NewRegistry()
	now := time.Now().Add(time.Second)
	job := task.Purge(task.PurgeConfig{Late: 7 * 24 * time.Hour, Now: func() time.Time { return now }}, dir, store.Single(st), reg)
	run(t, job)
	ended, end := context.WithCancel(t.Context())
	end()
	if _, err := job.Run(ended, false); err == nil || gather(t, reg)["late_messages"] != 1 {
		t.Errorf("after a run that was stopped: %v, %v late messages", err, gather(t, reg)["late_messages"])
	}
	now = now.Add(9 * 24 * time.Hour) // the account ended so long ago that only known late mail is looked for
	if _, err := job.Run(ended, false); err == nil {
		t.Error("the run was not stopped")
	}
	if report := run(t, job); !slices.Equal(report, task.Report{{Name: "messages", N: 1}}) || gather(t, reg)["late_messages"] != 0 {
		t.Errorf("report %v, %v late messages", report, gather(t, reg)["late_messages"])
	}
}

// Two datacenters without contact have given the same address to two owners. The mail of the
// displaced owner is reported, and stays until the address has no account.
func TestPurgeKeepsDisplacedMail(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	ids := mail.NewIDSource(nil)
	first := newAccount(t, dir, "alice")
	kind, later := store.KindAccount, ids.Next()
	if err := st.ChangeAddress(t.Context(), first.Address, later, store.AddressChange{Kind: &kind}); err != nil {
		t.Fatal(err)
	}
	second := mail.DeriveMailboxID(first.Address, later)
	for range 2 {
		add(t, st, ids, first.Mailbox)
	}
	add(t, st, ids, second)

	var log strings.Builder
	now := time.Now().Add(time.Second)
	job := task.Purge(task.PurgeConfig{
		Late: time.Hour, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(&log, nil)),
	}, dir, store.Single(st), nil)
	for range 3 {
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "late", N: 2}}) {
			t.Errorf("report %v", report)
		}
		now = now.Add(100 * 24 * time.Hour)
	}
	if n := strings.Count(log.String(), "has displaced"); n != 1 || !strings.Contains(log.String(), "mailbox="+first.Mailbox.String()+" messages=2") {
		t.Errorf("said %d times:\n%s", n, log.String())
	}
	if a, b := count(t, st, first.Mailbox), count(t, st, second); a != 2 || b != 1 {
		t.Errorf("%d and %d messages are left, want 2 and 1", a, b)
	}
	removeAccount(t, dir, first)
	run(t, job)
	if a, b := count(t, st, first.Mailbox), count(t, st, second); a+b != 0 {
		t.Errorf("%d and %d messages are left of an address without an account", a, b)
	}
}

// The job visits accounts removed long ago once a day: a datacenter that was cut off may have
// accepted mail for them.
func TestPurgeComesBack(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	alice := newAccount(t, dir, "alice")
	removeAccount(t, dir, alice)
	now := time.Now()
	job := task.Purge(task.PurgeConfig{Late: time.Hour, Now: func() time.Time { return now }}, dir, store.Single(st), nil)
	now = now.Add(1000 * time.Hour)
	run(t, job)
	ids := mail.NewIDSource(func() time.Time { return now.Add(-2 * time.Hour) })
	add(t, st, ids, alice.Mailbox)
	now = now.Add(23 * time.Hour)
	run(t, job)
	if n := count(t, st, alice.Mailbox); n != 1 {
		t.Fatal("looked at a mailbox twice a day")
	}
	now = now.Add(2 * time.Hour)
	run(t, job)
	if n := count(t, st, alice.Mailbox); n != 0 {
		t.Errorf("%d messages left", n)
	}
	add(t, st, ids, alice.Mailbox)
	if _, err := job.Run(t.Context(), true); err != nil || count(t, st, alice.Mailbox) != 0 {
		t.Errorf("on request: %v, %d messages left", err, count(t, st, alice.Mailbox))
	}
}

// broken cannot list one mailbox.
type broken struct {
	store.Mail
	mailbox mail.MailboxID
}

func (b *broken) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	if mailbox == b.mailbox {
		return nil, false, fmt.Errorf("mailbox %s: %w", mailbox, store.ErrCorrupt)
	}
	return b.Mail.ListMessages(ctx, mailbox, after, limit)
}

// A mailbox that cannot be emptied does not delay the remaining mailboxes.
func TestPurgeGoesOnBehindAFault(t *testing.T) {
	engine := openStore(t)
	ids := mail.NewIDSource(nil)
	st := &broken{Mail: engine}
	dir := newDirectory(t, engine)
	var removed []account.Account
	for i := range 5 {
		a := newAccount(t, dir, fmt.Sprint("user", i))
		add(t, st, ids, a.Mailbox)
		removeAccount(t, dir, a)
		removed = append(removed, a)
	}
	st.mailbox = removed[2].Mailbox
	now := time.Now().Add(time.Second)
	job := task.Purge(task.PurgeConfig{Now: func() time.Time { return now }}, dir, storetest.WithMail(store.Single(engine), st), nil)
	report, err := job.Run(t.Context(), false)
	if !errors.Is(err, store.ErrCorrupt) || !strings.Contains(err.Error(), st.mailbox.String()) {
		t.Errorf("error %v", err)
	}
	if want := (task.Report{{Name: "mailboxes", N: 4}, {Name: "messages", N: 4}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	st.mailbox = mail.MailboxID{}
	now = now.Add(1000 * time.Hour) // the mailbox is tried again
	run(t, job)
	if n := count(t, engine, removed[2].Mailbox); n != 0 {
		t.Errorf("%d messages left after the fault", n)
	}
}

// A run whose mailboxes all fail ends early, and does not repeat its error a thousand times.
func TestManyFailures(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	for i := range 120 {
		removeAccount(t, dir, newAccount(t, dir, fmt.Sprint("user", i)))
	}
	all := &allBroken{Mail: st}
	_, err := task.Purge(task.PurgeConfig{}, dir, storetest.WithMail(store.Single(st), all), nil).Run(t.Context(), false)
	if err == nil || all.lists != 100 || strings.Count(err.Error(), "task: purge: list mailbox") != 5 || !strings.Contains(err.Error(), "95 more") {
		t.Errorf("%d tries; %v", all.lists, err)
	}
}

// allBroken cannot list any mailbox.
type allBroken struct {
	store.Mail
	lists int
}

func (b *allBroken) ListMessages(context.Context, mail.MailboxID, mail.MessageID, int) ([]mail.Message, bool, error) {
	b.lists++
	return nil, false, fmt.Errorf("list mailbox: %w", store.ErrCorrupt)
}

func TestEmptyMailboxGoesOnAfterEveryFault(t *testing.T) {
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		st := openStore(t)
		ids := mail.NewIDSource(nil)
		mailbox := mail.MailboxID{1}
		for range 3 {
			add(t, st, ids, mailbox)
		}
		below := ids.Next()
		add(t, st, ids, mailbox)
		faulty := wrap(store.Single(st)).Mail.Local
		if _, err := task.EmptyMailbox(t.Context(), faulty, mailbox, below, nil); err != nil {
			if !errors.Is(err, store.ErrUnavailable) && !errors.Is(err, store.ErrOutcomeUnknown) {
				t.Errorf("EmptyMailbox: %v", err)
			}
			if _, err := task.EmptyMailbox(t.Context(), faulty, mailbox, below, nil); err != nil {
				t.Fatal(err)
			}
		}
		if n := count(t, st, mailbox); n != 1 {
			t.Errorf("%d messages left, want the later message", n)
		}
	})
}
