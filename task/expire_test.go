package task_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

const day = 24 * time.Hour

// aged stores a message of an age.
func aged(t *testing.T, st store.Mail, mailbox mail.MailboxID, age time.Duration) {
	t.Helper()
	add(t, st, mail.NewIDSource(func() time.Time { return time.Now().Add(-age) }), mailbox)
}

func retain(t *testing.T, st store.Directory, local string, retention time.Duration) {
	t.Helper()
	a := mail.Address{Local: local, Domain: "example.test"}
	if err := st.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{Retention: new(mail.Retention(retention))}); err != nil {
		t.Fatal(err)
	}
}

func retainDomain(t *testing.T, st store.Directory, retention time.Duration) {
	t.Helper()
	if err := st.ChangeDomain(t.Context(), "example.test", store.DomainChange{Retention: new(mail.Retention(retention))}); err != nil {
		t.Fatal(err)
	}
}

func TestExpire(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	mailboxes := map[string]mail.MailboxID{}
	for _, local := range []string{"asdomain", "longer", "forever", "shorter", "other"} {
		mailboxes[local] = newAccount(t, dir, local).Mailbox
		for _, age := range []time.Duration{0, 2 * day, 20 * day, 100 * day, 400 * day} {
			aged(t, st, mailboxes[local], age)
		}
	}
	removed := newAccount(t, dir, "removed")
	aged(t, st, removed.Mailbox, 100*day)
	removeAccount(t, dir, removed)
	job := task.Expire(task.ExpireConfig{Window: time.Hour}, store.Single(st))
	if report := run(t, job); len(report) > 0 {
		t.Errorf("without any retention: %v", report)
	}
	retainDomain(t, st, 10*day)
	retain(t, st, "longer", 90*day)
	retain(t, st, "forever", -time.Microsecond)
	retain(t, st, "shorter", time.Minute) // less than the in-flight window
	retain(t, st, "other", 10*day)
	report := run(t, job)
	if want := (task.Report{{Name: "mailboxes", N: 4}, {Name: "messages", N: 3 + 2 + 4 + 3}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	for local, want := range map[string]int{"asdomain": 2, "longer": 3, "forever": 5, "shorter": 1, "other": 2} {
		if n := count(t, st, mailboxes[local]); n != want {
			t.Errorf("%s has %d messages left, want %d", local, n, want)
		}
	}
	if n := count(t, st, removed.Mailbox); n != 1 {
		t.Error("a removed account is the purge job's")
	}
	if report := run(t, job); len(report) > 0 {
		t.Errorf("a second run: %v", report)
	}
	// The content goes as with any removal.
	reap := task.Reap(task.SweepConfig{Now: func() time.Time { return time.Now().Add(time.Hour) }}, st)
	if report := run(t, reap); report[0] != (task.Count{Name: "contents", N: 12}) {
		t.Errorf("reap: %v", report)
	}
}

// server is the upkeep of a server with a share of the work, and with a clock.
type server struct {
	store.Upkeep
	mine func(key string) bool // nil: all work falls to the server
	err  error                 // of the clock
}

func (s *server) Mine(key string) bool { return s.mine == nil || s.mine(key) }
func (s *server) Clock() error         { return s.err }

// atAll returns the store of st and u that reads the directory at the level All from all.
func atAll(st store.Engine, u store.Upkeep, all store.Directory) store.Store {
	s := storetest.WithUpkeep(store.Single(st), u)
	s.Directory.All = all
	return s
}

// switched is a directory that a test can replace.
type switched struct{ store.Directory }

// away is the level All while a replica is away.
type away struct{ store.Directory }

func (away) AddressRows(context.Context, mail.Address) ([]store.Address, error) {
	return nil, fmt.Errorf("a replica is away: %w", store.ErrUnavailable)
}

func (away) Domain(context.Context, string) (store.Domain, error) {
	return store.Domain{}, fmt.Errorf("a replica is away: %w", store.ErrUnavailable)
}

// longer is the level All after another datacenter made a retention longer.
type longer struct{ store.Directory }

func (l longer) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	rows, err := l.Directory.AddressRows(ctx, a)
	for i := range rows {
		rows[i].Retention = mail.Forever
	}
	return rows, err
}

// A job deletes nothing without the answer of all replicas.
func TestTakingAwayAsksAll(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	live, removed := newAccount(t, dir, "live"), newAccount(t, dir, "removed")
	aged(t, st, live.Mailbox, 2*day)
	aged(t, st, removed.Mailbox, 2*day)
	removeAccount(t, dir, removed)
	retainDomain(t, st, day)
	all := &switched{away{st}}
	here := &server{Upkeep: st}
	c := atAll(st, here, all)
	jobs := []task.Job{task.Expire(task.ExpireConfig{}, c), task.Purge(task.PurgeConfig{}, dir, c, nil)}
	kept := func(what string) {
		t.Helper()
		if a, b := count(t, st, live.Mailbox), count(t, st, removed.Mailbox); a != 1 || b != 1 {
			t.Errorf("%s: %d and %d messages are left", what, a, b)
		}
	}
	for _, job := range jobs {
		if report, err := job.Run(t.Context(), true); !errors.Is(err, store.ErrUnavailable) || len(report) > 0 {
			t.Errorf("%s while a replica is away: %v, %v", job.Name, report, err)
		}
	}
	kept("while a replica is away")

	here.err = fmt.Errorf("%w: 100 days ahead", store.ErrClock)
	all.Directory = st
	for _, job := range jobs {
		if report, err := job.Run(t.Context(), true); !errors.Is(err, store.ErrClock) || len(report) > 0 {
			t.Errorf("%s with a wrong clock: %v, %v", job.Name, report, err)
		}
	}
	kept("with a wrong clock")

	here.err = nil
	all.Directory = longer{st}
	if report := run(t, jobs[0]); len(report) > 0 {
		t.Errorf("expire with a longer retention in another datacenter: %v", report)
	}
	kept("with a retention that is longer elsewhere")

	// The job leaves the work of another server to that server.
	all.Directory = st
	here.mine = func(key string) bool {
		return !strings.HasSuffix(key, "/"+live.Mailbox.String()) && !strings.HasSuffix(key, "/"+removed.Mailbox.String())
	}
	for _, job := range jobs {
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "elsewhere", N: 1}}) {
			t.Errorf("%s on a server with another share: %v", job.Name, report)
		}
	}
	kept("on a server with another share")
	here.mine = nil
	for _, job := range jobs {
		if report := run(t, job); len(report) != 2 {
			t.Errorf("%s: %v", job.Name, report)
		}
	}
	if a, b := count(t, st, live.Mailbox), count(t, st, removed.Mailbox); a != 0 || b != 0 {
		t.Errorf("%d and %d messages are left", a, b)
	}
}
