package task_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// wantLeast checks the least retention that a directory knows.
func wantLeast(t *testing.T, what string, dir *account.Directory, want time.Duration) {
	t.Helper()
	if got, err := dir.LeastRetention(t.Context()); err != nil || got != mail.Retention(want) {
		t.Errorf("%s: least retention %v, %v; want %v", what, got, err, want)
	}
}

// A run of expire discovers the least retention of all accounts, including accounts with mailboxes in
// the share of other servers, and including changes from before the start of all servers.
func TestExpireLearnsTheLeastRetention(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	for _, local := range []string{"alice", "bob", "carol", "forever"} {
		newAccount(t, dir, local)
	}
	removed := newAccount(t, dir, "removed")
	retain(t, st, "alice", 30*day)
	retain(t, st, "bob", 7*day)
	retain(t, st, "forever", time.Duration(mail.Forever))
	retain(t, st, "removed", day)
	removeAccount(t, dir, removed)
	retainDomain(t, st, 60*day)

	here := newDirectory(t, st)
	if _, err := here.LeastRetention(t.Context()); !errors.Is(err, account.ErrRetentionsUnknown) {
		t.Errorf("before any run: %v, want %v", err, account.ErrRetentionsUnknown)
	}
	c := storetest.WithUpkeep(store.Single(st), &server{Upkeep: st, mine: func(string) bool { return false }})
	job := task.Expire(task.ExpireConfig{Window: time.Hour, Directory: here}, c)
	if report := run(t, job); !slices.Equal(report, task.Report{{Name: "elsewhere", N: 3}}) {
		t.Errorf("a run of a server without a share: %v", report)
	}
	wantLeast(t, "after a run", here, 7*day)
	wantLeast(t, "another server", newDirectory(t, st), 7*day)

	retain(t, st, "bob", 90*day)
	wantLeast(t, "before the next run", here, 7*day)
	run(t, job)
	wantLeast(t, "after the next run", here, 30*day)
	retain(t, st, "alice", 0)
	run(t, job)
	wantLeast(t, "without short ones", here, 60*day)
}

// stopping is a directory whose lists of addresses end with the second domain.
type stopping struct{ store.Directory }

func (s stopping) ListAddresses(ctx context.Context, domain, after string, limit int) ([]store.Address, bool, error) {
	if domain != "example.test" {
		return nil, false, store.ErrUnavailable
	}
	return s.Directory.ListAddresses(ctx, domain, after, limit)
}

// A run that has not read all accounts raises nothing.
func TestExpireThatFailsRaisesNothing(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	newAccount(t, dir, "alice")
	retain(t, st, "alice", 7*day)
	run(t, task.Expire(task.ExpireConfig{Directory: dir}, store.Single(st)))
	retain(t, st, "alice", 30*day)
	if _, err := dir.AddDomain(t.Context(), "second.test"); err != nil {
		t.Fatal(err)
	}
	job := task.Expire(task.ExpireConfig{Directory: dir}, storetest.WithDirectory(store.Single(st), stopping{st}))
	if _, err := job.Run(t.Context(), false); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("a run that cannot read all accounts: %v", err)
	}
	wantLeast(t, "after a run that failed", dir, 7*day)
	run(t, task.Expire(task.ExpireConfig{Directory: dir}, store.Single(st)))
	wantLeast(t, "after a whole run", dir, 30*day)
}
