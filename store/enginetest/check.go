package enginetest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/task"
)

// Engine is the engine under test, or a wrapper of the engine.
type Engine interface {
	Levels() store.Levels[*cassandra.Store]
}

// Check runs a check and waits for its end.
func Check(t *testing.T, s Engine, o task.CheckOptions) task.CheckState {
	t.Helper()
	cfg := task.CheckConfig{Window: time.Nanosecond, Rate: 1e6, RetryPause: 100 * time.Millisecond}
	c := task.NewChecker(cfg, store.New(s.Levels()), nil)
	defer c.Close()
	if err := c.Start(t.Context(), o); err != nil {
		return task.CheckState{Result: task.CheckFailed, Err: err}
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if c.State().Result == task.CheckRunning {
			return errors.New("the check runs")
		}
		return nil
	})
	return c.State()
}

// WantCheck runs a check that must succeed, and compares its findings: "dangling 2/1" means two found and
// one repaired.
func WantCheck(t *testing.T, what string, s Engine, o task.CheckOptions, want ...string) task.CheckReport {
	t.Helper()
	state := Check(t, s, o)
	if state.Result != task.CheckDone {
		t.Fatalf("%s: %s, %v", what, state.Result, state.Err)
	}
	var got []string
	for _, kind := range task.CheckKinds {
		if n := state.Report.Counts[kind]; n.Found > 0 {
			got = append(got, fmt.Sprintf("%s %d/%d", kind, n.Found, n.Repaired))
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: found %s, want %s\n%+v", what, strings.Join(got, ", "), strings.Join(want, ", "), state.Report.Findings)
	}
	return state.Report
}

// Accounts makes accounts in example.test and returns their addresses.
func Accounts(t *testing.T, s store.Directory, names ...string) (list []mail.Address) {
	t.Helper()
	if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
		t.Fatal(err)
	}
	for _, name := range names {
		a := mail.Address{Local: name, Domain: "example.test"}
		if err := s.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{Kind: new(store.KindAccount)}); err != nil {
			t.Fatal(err)
		}
		list = append(list, a)
	}
	return list
}

// Deliver stores a message of n octets for addresses, with the size of RETR.
func Deliver(t *testing.T, s store.Mail, n int, to ...mail.Address) mail.MessageID {
	t.Helper()
	id := IDs.Next()
	var mailboxes []mail.MailboxID
	for _, a := range to {
		mailboxes = append(mailboxes, Mailbox(a.Local))
	}
	Put(t, s, id, n, mailboxes...)
	for _, a := range to {
		Add(t, s, Mailbox(a.Local), Entry(id, n, a))
	}
	return id
}

// Entry returns the message of an address with a content of n octets, with the size of RETR.
func Entry(id mail.MessageID, n int, a mail.Address) mail.Message {
	return mail.Message{ID: id, Size: int64(n + len(mail.DeliveryHeader("s@example.org", a.String()))), Recipient: a.String()}
}

// WantList checks the list of a mailbox, in order.
func WantList(t *testing.T, what string, s store.Mail, a mail.Address, want ...mail.MessageID) {
	t.Helper()
	rows, err := List(t.Context(), s, Mailbox(a.Local))
	if err != nil {
		t.Fatal(err)
	}
	var got []mail.MessageID
	for _, m := range rows {
		got = append(got, m.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("%s: %s lists %v, want %v", what, a, got, want)
	}
}
