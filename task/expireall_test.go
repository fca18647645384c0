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

// keptFor is the level All after another datacenter changed a retention.
type keptFor struct {
	store.Directory
	retention time.Duration
}

func (k keptFor) AddressRows(ctx context.Context, a mail.Address) ([]store.Address, error) {
	rows, err := k.Directory.AddressRows(ctx, a)
	for i := range rows {
		rows[i].Retention = mail.Retention(k.retention)
	}
	return rows, err
}

// If all replicas know a longer retention than the nearest replicas, the longer retention counts.
func TestExpireByTheRetentionOfAll(t *testing.T) {
	st := openStore(t)
	a := newAccount(t, newDirectory(t, st), "alice")
	retain(t, st, "alice", day)
	for _, age := range []time.Duration{2 * day, 20 * day} {
		aged(t, st, a.Mailbox, age)
	}
	c := atAll(st, st, keptFor{st, 10 * day})
	report := run(t, task.Expire(task.ExpireConfig{}, c))
	if want := (task.Report{{Name: "mailboxes", N: 1}, {Name: "messages", N: 1}}); !slices.Equal(report, want) {
		t.Errorf("report %v, want %v", report, want)
	}
	if n := count(t, st, a.Mailbox); n != 1 {
		t.Errorf("%d messages are left, want the message of 2 days ago", n)
	}
}
