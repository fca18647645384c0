package delivery_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"popelago/account"
	"popelago/delivery/deliverytest"
	"popelago/mail"
	"popelago/store"
	"popelago/store/storetest"
)

// interrupted is a store that calls between before the first rows are written.
type interrupted struct {
	store.Mail
	between func()
}

func (s *interrupted) AddMessages(ctx context.Context, entries []store.Entry) []error {
	if s.between != nil {
		s.between()
	}
	s.between = nil
	return s.Mail.AddMessages(ctx, entries)
}

// An account that ends between RCPT and the reply gets no acknowledged mail: nobody could fetch the
// message. If one reply is for several recipients, the sender repeats for the remaining recipients,
// and they get no second copy.
func TestAccountEndsBeforeTheReply(t *testing.T) {
	for _, tt := range []struct {
		name       string
		single     bool // SMTP
		recipients []string
		want       []error // for alice, who goes, and bob
	}{
		{"LMTP", false, []string{"alice", "bob"}, []error{account.ErrNoSuchRecipient, nil}},
		{"SMTP, one recipient", true, []string{"alice"}, []error{account.ErrNoSuchRecipient}},
		{"SMTP, two recipients", true, []string{"alice", "bob"}, []error{store.ErrUnavailable, nil}},
	} {
		for _, early := range []bool{true, false} {
			name := tt.name + ", while its rows are written"
			if early {
				name = tt.name + ", while its text comes"
			}
			t.Run(name, func(t *testing.T) {
				var st *interrupted
				w := deliverytest.New(t, deliverytest.Options{Wrap: func(s store.Store) store.Store {
					st = &interrupted{Mail: s.Mail.Local}
					return storetest.WithMail(s, st)
				}})
				e := w.Envelope(t, tt.recipients...)
				e.SingleReply = tt.single
				end := func() {
					if err := w.Directory.RemoveAccount(t.Context(), deliverytest.Address("alice")); err != nil {
						t.Error(err)
					}
				}
				in, err := w.Begin(t.Context(), e)
				if err != nil {
					t.Fatal(err)
				}
				if _, err := in.ReadFrom(strings.NewReader(deliverytest.Sample)); err != nil {
					t.Fatal(err)
				}
				if early {
					end()
				} else {
					st.between = end
				}
				res := in.Finish(t.Context())
				for i, want := range tt.want {
					if !errors.Is(res.Errors[i], want) || want == nil && res.Errors[i] != nil {
						t.Errorf("recipient %d: %v, want %v", i, res.Errors[i], want)
					}
				}
				rows, _, err := w.Embedded.ListMessages(t.Context(), e.Recipients[0].Mailbox, mail.MessageID{}, 10)
				if err != nil || len(rows) != 0 {
					t.Errorf("the ended mailbox holds %v, %v", rows, err)
				}
				if len(tt.recipients) == 1 {
					return
				}
				if n := len(w.Messages(t, "bob")); n != 1 {
					t.Errorf("bob has %d copies", n)
				}
				if _, err := w.Check(t.Context(), deliverytest.Address("alice")); !errors.Is(err, account.ErrNoSuchRecipient) {
					t.Errorf("RCPT in the next try: %v", err)
				}
				if !tt.single {
					return
				}
				e = w.Envelope(t, "bob")
				e.SingleReply = true
				if errs := w.Deliver(t.Context(), e, strings.NewReader(deliverytest.Sample)); errs[0] != nil {
					t.Errorf("the next try: %v", errs[0])
				}
				if n := len(w.Messages(t, "bob")); n != 1 {
					t.Errorf("bob has %d copies after the next try", n)
				}
			})
		}
	}
}
