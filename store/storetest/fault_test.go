package storetest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// ready does nothing, without errors.
type ready struct{ store.Mail }

type readyDirectory struct{ store.Directory }

func (ready) Message(context.Context, mail.MailboxID, mail.MessageID) (m mail.Message, err error) {
	return m, nil
}
func (ready) AddMessages(_ context.Context, entries []store.Entry) []error {
	return make([]error, len(entries))
}
func (ready) RemoveMessages(context.Context, mail.MailboxID, []mail.MessageID) error { return nil }
func (readyDirectory) PutDomain(context.Context, store.Domain) error                 { return nil }

// TestEachFaultOnce: each operation fails in each way that the operation has, and in no way twice.
func TestEachFaultOnce(t *testing.T) {
	var got []string
	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
		s := wrap(store.Store{Mail: store.OneLevel[store.Mail](ready{}), Directory: store.OneLevel[store.Directory](readyDirectory{})})
		ctx, m := t.Context(), s.Mail.Local
		note := func(what string, errs ...error) {
			for _, err := range errs {
				switch {
				case errors.Is(err, store.ErrUnavailable):
					what += " unavailable"
				case errors.Is(err, store.ErrOutcomeUnknown):
					what += " unknown"
				default:
					what += " done"
				}
			}
			if strings.Count(what, " done") < len(errs) {
				got = append(got, what)
			}
		}
		note("add one", m.AddMessages(ctx, make([]store.Entry, 1))...)
		_, err := m.Message(ctx, mail.MailboxID{}, mail.MessageID{})
		note("read", err)
		note("add two", m.AddMessages(ctx, make([]store.Entry, 2))...)
		note("remove one", m.RemoveMessages(ctx, mail.MailboxID{}, make([]mail.MessageID, 1)))
		note("remove two", m.RemoveMessages(ctx, mail.MailboxID{}, make([]mail.MessageID, 2)))
		note("write", s.Directory.Local.PutDomain(ctx, store.Domain{}))
	})
	want := []string{
		"add one unavailable", "read unavailable", "add two unavailable unavailable", "remove one unavailable", "remove two unavailable", "write unavailable",
		"add one unknown", "add two unknown unknown", "remove one unknown", "remove two unknown", "write unknown",
		"add two done unavailable", "remove two unknown",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults:\n got %q\nwant %q", got, want)
	}
}
