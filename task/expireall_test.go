package task_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// keptFor is what reads at LevelAll see of a retention that was changed elsewhere.
type keptFor struct {
	store.Store
	retention time.Duration
}

func (k keptFor) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	rows, err := k.Store.AddressRows(ctx, a)
	for i := range rows {
		rows[i].Retention = k.retention
	}
	return rows, err
}

// Where all replicas know of a longer retention than the nearest ones, the longer one counts.
func TestExpireByTheRetentionOfAll(t *testing.T) {
	st := openStore(t)
	a := newAccount(t, newDirectory(t, st), "alice")
	retain(t, st, "alice", day)
	for _, age := range []time.Duration{2 * day, 20 * day} {
		aged(t, st, a.Mailbox, age)
	}
	c := &cluster{Store: st, all: func() store.Store { return keptFor{st, 10 * day} }}
	report := run(t, task.Expire(task.ExpireConfig{}, c))
	if want := (task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 1}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	if n := count(t, st, a.Mailbox); n != 1 {
		t.Errorf("%d messages are left, want the one of 2 days ago", n)
	}
}
