package task_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
	"popelago/task"
)

// removals collects the events of background work, such as "expired alice@example.test".
type removals struct{ names []string }

func (r *removals) Happened(e event.Event) {
	if e.Message.IsZero() || e.Size == 0 || e.Mailbox.IsZero() {
		e.Cause = " without its message"
	}
	r.names = append(r.names, fmt.Sprintf("%s %s%s", e.Kind, e.Address, e.Cause))
}

// Each message that background work removes is one event: past the retention, past the retention after
// retrieval, and of a removed account.
func TestEventsOfRemovals(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	var got removals
	old, fetched, gone := newAccount(t, dir, "old"), newAccount(t, dir, "fetched"), newAccount(t, dir, "gone")
	for _, age := range []time.Duration{0, 20 * day, 30 * day} {
		aged(t, st, old.Mailbox, age)
	}
	aged(t, st, fetched.Mailbox, 20*day)
	note(t, st, fetched.Mailbox, 15*day, listed(t, st, fetched.Mailbox)...)
	aged(t, st, gone.Mailbox, 20*day)
	retain(t, st, "old", 10*day)
	if err := dir.SetAccountSettings(t.Context(), mail.Address{Local: "fetched", Domain: "example.test"}, map[string]string{"retention_after_retrieval": "14d"}); err != nil {
		t.Fatal(err)
	}
	removeAccount(t, dir, gone)
	run(t, task.Expire(task.ExpireConfig{Window: time.Hour, Events: &got}, store.Single(st)))
	run(t, task.Purge(task.PurgeConfig{Window: time.Hour, Events: &got, Now: func() time.Time { return time.Now().Add(2 * time.Hour) }}, dir, store.Single(st), nil))
	slices.Sort(got.names)
	want := []string{"expired fetched@example.test", "expired old@example.test", "expired old@example.test", "purged gone@example.test"}
	if !slices.Equal(got.names, want) {
		t.Errorf("events %q, want %q", got.names, want)
	}
}

// unsure removes rows, and does not know whether the rows are gone.
type unsure struct{ store.Mail }

func (u unsure) RemoveListed(ctx context.Context, mailbox mail.MailboxID, rows []mail.Message) error {
	if err := u.Mail.RemoveListed(ctx, mailbox, rows); err != nil {
		return err
	}
	return store.ErrOutcomeUnknown
}

// Messages whose removal failed are events with a doubt: no later run finds messages that are gone.
func TestEventsOfDoubtfulRemovals(t *testing.T) {
	st := openStore(t)
	dir := newDirectory(t, st)
	var got removals
	old, fetched := newAccount(t, dir, "old"), newAccount(t, dir, "fetched")
	aged(t, st, old.Mailbox, 20*day)
	aged(t, st, fetched.Mailbox, 20*day)
	note(t, st, fetched.Mailbox, 15*day, listed(t, st, fetched.Mailbox)...)
	retain(t, st, "old", 10*day)
	if err := dir.SetAccountSettings(t.Context(), mail.Address{Local: "fetched", Domain: "example.test"}, map[string]string{"retention_after_retrieval": "14d"}); err != nil {
		t.Fatal(err)
	}
	doubtful := store.Single(st)
	doubtful.Mail.Local = unsure{doubtful.Mail.Local}
	for range 2 { // the first mailbox ends a run
		if _, err := task.Expire(task.ExpireConfig{Window: time.Hour, Events: &got}, doubtful).Run(t.Context(), false); err == nil {
			break
		}
	}
	slices.Sort(got.names)
	const doubt = "the removal was not confirmed"
	if want := []string{"expired fetched@example.test" + doubt, "expired old@example.test" + doubt}; !slices.Equal(got.names, want) {
		t.Errorf("events %q, want %q", got.names, want)
	}
}
