package task_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/task"
)

// grown is a store with mailboxes that have grown.
type grown struct {
	store.Background
	store.Directory
	report  store.FloorReport
	err     error
	bulk    []mail.MailboxID
	failing mail.MailboxID
}

func (s *grown) RaiseFloors(context.Context) (store.FloorReport, error) { return s.report, s.err }

func (s *grown) SetBulk(_ context.Context, mailbox mail.MailboxID) (time.Time, error) {
	if mailbox == s.failing {
		return time.Time{}, store.ErrOutcomeUnknown
	}
	s.bulk = append(s.bulk, mailbox)
	return time.Now().Add(time.Hour).Truncate(time.Microsecond).UTC(), nil
}

// The floor job makes grown mailboxes bulk, if they belong to an account. A failure does not delay
// the remaining mailboxes, and is reported.
func TestFloorMakesBulk(t *testing.T) {
	engine := openStore(t)
	st := &grown{Background: engine, Directory: engine}
	dir := newDirectory(t, st)
	alice, bob, carol := newAccount(t, dir, "alice"), newAccount(t, dir, "bob"), newAccount(t, dir, "carol")
	log := &mailtest.Log{}
	job := task.Floor(task.SweepConfig{Logger: slog.New(slog.NewTextHandler(log, nil))}, dir, st)
	if report := run(t, job); len(report) > 0 {
		t.Errorf("nothing to do: %v", report)
	}

	st.failing = bob.Mailbox
	st.report = store.FloorReport{Mailboxes: 5, Raised: 2, Grown: []store.GrownMailbox{
		{Mailbox: mail.MailboxID{1}, Recipient: "nobody@example.test"},
		{Mailbox: bob.Mailbox, Recipient: "bob@example.test"},
		{Mailbox: alice.Mailbox, Recipient: "carol@example.test"}, // not the mailbox of carol
		{Mailbox: carol.Mailbox, Recipient: "Carol@example.test"},
	}}
	st.err = store.ErrUnavailable
	report, err := job.Run(t.Context(), false)
	if !errors.Is(err, store.ErrOutcomeUnknown) || !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("error %v, want both", err)
	}
	want := task.Report{{Name: "mailboxes", N: 5}, {Name: "raised", N: 2}, {Name: "bulk", N: 1}}
	if !slices.Equal(report, want) || !slices.Equal(st.bulk, []mail.MailboxID{carol.Mailbox}) {
		t.Errorf("report %v, want %v; bulk %v", report, want, st.bulk)
	}
	if text := log.String(); !strings.Contains(text, "address=carol@example.test") || strings.Count(text, "becomes bulk") != 1 {
		t.Errorf("the log says:\n%s", text)
	}
	for _, a := range []mail.Address{alice.Address, bob.Address, carol.Address} {
		got, err := dir.Account(t.Context(), a)
		if err != nil || got.Bulk.IsZero() != (a != carol.Address) {
			t.Errorf("%v, %v", got, err)
		}
	}

	// The failed mailbox is reported again.
	st.err, st.failing = nil, mail.MailboxID{}
	want[2].N = 1
	if report := run(t, job); !slices.Equal(report, want) || !slices.Contains(st.bulk, bob.Mailbox) {
		t.Errorf("report %v, want %v; bulk %v", report, want, st.bulk)
	}

	// A job that has to stop begins no further mailbox.
	st.failing = alice.Mailbox
	st.report.Grown = []store.GrownMailbox{{Mailbox: alice.Mailbox, Recipient: "alice@example.test"}}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := job.Run(ctx, false); err == nil {
		t.Error("a stopped run returns no error")
	}
}
