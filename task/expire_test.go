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
	"popelago/task"
)

const day = 24 * time.Hour

// aged stores a message of some age.
func aged(t *testing.T, st store.Store, mailbox mail.MailboxID, age time.Duration) {
	t.Helper()
	add(t, st, mail.NewIDSource(func() time.Time { return time.Now().Add(-age) }), mailbox)
}

func retain(t *testing.T, st store.Store, local string, retention time.Duration) {
	t.Helper()
	a := mail.Address{Local: local, Domain: "example.test"}
	if err := st.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{Retention: &retention}); err != nil {
		t.Fatal(err)
	}
}

func retainDomain(t *testing.T, st store.Store, retention time.Duration) {
	t.Helper()
	if err := st.ChangeDomain(t.Context(), "example.test", store.DomainChange{Retention: &retention}); err != nil {
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
	job := task.Expire(task.ExpireConfig{Window: time.Hour}, st)
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

// cluster is a store with several replicas, of which this is what reads at LevelAll see.
type cluster struct {
	store.Store
	all  func() store.Store
	mine func(key string) bool
	err  error // of the clock
}

func (c *cluster) At(level store.Level) store.Store {
	if level == store.LevelAll {
		return c.all()
	}
	return c
}

func (c *cluster) Mine(key string) bool { return c.mine == nil || c.mine(key) }
func (c *cluster) Clock() error         { return c.err }

// away is what reads at LevelAll are while a replica is away.
type away struct{ store.Store }

func (away) AddressRows(context.Context, mail.Address) ([]store.Address, error) {
	return nil, fmt.Errorf("a replica is away: %w", store.ErrUnavailable)
}

func (away) Domain(context.Context, string) (store.Domain, error) {
	return store.Domain{}, fmt.Errorf("a replica is away: %w", store.ErrUnavailable)
}

// longer is what reads at LevelAll see of a retention that was made longer elsewhere.
type longer struct{ store.Store }

func (l longer) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	rows, err := l.Store.AddressRows(ctx, a)
	for i := range rows {
		rows[i].Retention = -time.Microsecond
	}
	return rows, err
}

// Nothing is taken away on what only some of the replicas know.
func TestTakingAwayAsksAll(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	live, removed := newAccount(t, dir, "live"), newAccount(t, dir, "removed")
	aged(t, st, live.Mailbox, 2*day)
	aged(t, st, removed.Mailbox, 2*day)
	removeAccount(t, dir, removed)
	retainDomain(t, st, day)
	c := &cluster{Store: st, all: func() store.Store { return away{st} }}
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

	c.err = fmt.Errorf("%w: 100 days ahead", store.ErrClock)
	c.all = func() store.Store { return st }
	for _, job := range jobs {
		if report, err := job.Run(t.Context(), true); !errors.Is(err, store.ErrClock) || len(report) > 0 {
			t.Errorf("%s with a wrong clock: %v, %v", job.Name, report, err)
		}
	}
	kept("with a wrong clock")

	c.err = nil
	c.all = func() store.Store { return longer{st} }
	if report := run(t, jobs[0]); len(report) > 0 {
		t.Errorf("expire with a retention that is longer elsewhere: %v", report)
	}
	kept("with a retention that is longer elsewhere")

	// What falls to another server is left to it.
	c.all = func() store.Store { return st }
	c.mine = func(key string) bool {
		return !strings.HasSuffix(key, "/"+live.Mailbox.String()) && !strings.HasSuffix(key, "/"+removed.Mailbox.String())
	}
	for _, job := range jobs {
		if report := run(t, job); !slices.Equal(report, task.Report{{Name: "elsewhere", N: 1}}) {
			t.Errorf("%s on a server with another share: %v", job.Name, report)
		}
	}
	kept("on a server with another share")
	c.mine = nil
	for _, job := range jobs {
		if report := run(t, job); len(report) != 2 {
			t.Errorf("%s: %v", job.Name, report)
		}
	}
	if a, b := count(t, st, live.Mailbox), count(t, st, removed.Mailbox); a != 0 || b != 0 {
		t.Errorf("%d and %d messages are left", a, b)
	}
}
