package delivery_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/account"
	"popelago/delivery"
	"popelago/delivery/deliverytest"
	"popelago/ledger"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/embedded"
	"popelago/store/storetest"
	"popelago/task"
)

// clockWorld is a server on a folder, with a clock that can be wrong.
type clockWorld struct {
	*testing.T
	clock mailtest.Clock
	dir   string
	st    *embedded.Store
	*account.Directory
	*deliverytest.Server
	wrap func(store.Store) store.Store
}

func newClockWorld(t *testing.T) *clockWorld {
	w := &clockWorld{T: t, dir: t.TempDir(), wrap: func(st store.Store) store.Store { return st }}
	w.start()
	t.Cleanup(func() { w.st.Close() })
	if _, err := w.AddDomain(t.Context(), "a.test"); err != nil {
		t.Fatal(err)
	}
	return w
}

// start starts the server with one source of ids, as package app does.
func (w *clockWorld) start() {
	w.Helper()
	var err error
	if w.st, err = embedded.Open(embedded.Config{Dir: w.dir, Now: w.clock.Now, Reserve: -1}); err != nil {
		w.Fatal(err)
	}
	ids := mail.NewIDSource(w.clock.Now)
	st := w.wrap(store.Single(w.st))
	w.Directory, err = account.New(account.Config{Argon2Memory: 8, Argon2Time: 1, IDs: ids, Now: w.clock.Now}, st.Directory, nil)
	if err != nil {
		w.Fatal(err)
	}
	cfg := delivery.Config{IDs: ids, Now: w.clock.Now, Window: 15 * time.Minute}
	w.Server = deliverytest.NewServer(w.T, cfg, ledger.Config{}, w.Directory, st, nil)
}

func (w *clockWorld) restart() {
	w.Helper()
	if err := w.st.Close(); err != nil {
		w.Fatal(err)
	}
	w.start()
}

func (w *clockWorld) account(local string) mail.Address {
	w.Helper()
	a := mail.Address{Local: local, Domain: "a.test"}
	if _, err := w.AddAccount(w.Context(), a, "secret88"); err != nil {
		w.Fatal(err)
	}
	return a
}

func (w *clockWorld) send(a mail.Address) error {
	w.Helper()
	r, err := w.Check(w.Context(), a)
	if err != nil {
		w.Fatal(err)
	}
	return w.Deliver(w.Context(), mail.Envelope{Recipients: r}, strings.NewReader("S: x\r\n\r\nx\r\n"))[0]
}

// list opens the maildrop of an address.
func (w *clockWorld) list(a mail.Address, retention mail.Retention) (int, error) {
	w.Helper()
	r, err := w.Check(w.Context(), a)
	if err != nil {
		w.Fatal(err)
	}
	m, err := maildrop.Open(w.Context(), store.Single(w.st).Mail, r[0].Mailbox, maildrop.Options{Retention: retention, Now: w.clock.Now})
	if err != nil {
		return 0, err
	}
	return m.Len(), nil
}

// wrongBy holds the errors of wrong clocks.
var wrongBy = map[string]time.Duration{"10 years ahead": 3650 * 24 * time.Hour, "10 years behind": -3650 * 24 * time.Hour}

// With a wrong clock no message expires, no mail is accepted, and no maildrop is shown with fewer
// messages.
func TestWrongClockLosesNothing(t *testing.T) {
	const retention = mail.Retention(30 * 24 * time.Hour)
	for name, off := range wrongBy {
		for _, running := range []bool{false, true} {
			w := newClockWorld(t)
			a := w.account("u")
			if err := w.SetRetention(t.Context(), a, retention); err != nil {
				t.Fatal(err)
			}
			for range 3 {
				if err := w.send(a); err != nil {
					t.Fatal(err)
				}
			}
			w.clock.Set(off)
			if !running {
				w.restart()
			}
			expire := func() error {
				_, err := task.Expire(task.ExpireConfig{Now: w.clock.Now}, store.Single(w.st)).Run(t.Context(), true)
				return err
			}
			if err := expire(); !errors.Is(err, store.ErrClock) {
				t.Errorf("%s, running %t: expire: %v", name, running, err)
			}
			if err := w.send(a); !errors.Is(err, store.ErrClock) {
				t.Errorf("%s, running %t: mail was taken: %v", name, running, err)
			}
			if n, err := w.list(a, retention); !errors.Is(err, store.ErrClock) {
				t.Errorf("%s, running %t: %d messages shown, %v", name, running, n, err)
			}
			if n, err := w.list(a, 0); n != 3 || err != nil {
				t.Errorf("%s, running %t: without a retention %d messages shown, %v", name, running, n, err)
			}
			w.clock.Set(0)
			if err := errors.Join(w.send(a), expire()); err != nil {
				t.Errorf("%s, running %t: when the clock is right again: %v", name, running, err)
			}
			if n, err := w.list(a, retention); n != 4 || err != nil {
				t.Errorf("%s, running %t: %d of 4 acknowledged messages are left, %v", name, running, n, err)
			}
		}
	}
}

// With a wrong clock no account can be removed, and nothing in the directory changed. Ids have the
// right time when the clock is right again.
func TestWrongClockChangesNothing(t *testing.T) {
	for name, off := range wrongBy {
		w := newClockWorld(t)
		a := w.account("u")
		w.clock.Set(off)
		durability := mail.DurabilityEach
		for what, change := range map[string]func() error{
			"AddDomain": func() error { _, err := w.AddDomain(t.Context(), "b.test"); return err },
			"ChangeDomain": func() error {
				_, err := w.ChangeDomain(t.Context(), "a.test", store.DomainChange{Durability: &durability})
				return err
			},
			"AddAccount": func() error {
				_, err := w.AddAccount(t.Context(), mail.Address{Local: "v", Domain: "a.test"}, "secret88")
				return err
			},
			"SetPassword":   func() error { return w.SetPassword(t.Context(), a, "secret99") },
			"SetState":      func() error { return w.SetState(t.Context(), a, store.StateDisabled) },
			"SetRetention":  func() error { return w.SetRetention(t.Context(), a, mail.Retention(time.Hour)) },
			"SetBulk":       func() error { _, err := w.SetBulk(t.Context(), a); return err },
			"RemoveAccount": func() error { return w.RemoveAccount(t.Context(), a) },
		} {
			if err := change(); !errors.Is(err, store.ErrClock) {
				t.Errorf("%s: %s: %v, want %v", name, what, err, store.ErrClock)
			}
		}
		w.clock.Set(0)
		if err := w.send(a); err != nil {
			t.Fatal(err)
		}
		r, err := w.Check(t.Context(), a)
		if err != nil {
			t.Fatal(err)
		}
		rows, _, err := w.st.ListMessages(t.Context(), r[0].Mailbox, mail.MessageID{}, 10)
		if err != nil || len(rows) != 1 || time.Since(rows[0].ID.Time()).Abs() > time.Hour {
			t.Errorf("%s: %v, %v", name, rows, err)
		}
		if err := w.RemoveAccount(t.Context(), a); err != nil {
			t.Errorf("%s: when the clock is right again: %v", name, err)
		}
	}
}

// meanwhile is a store with a callback for each write of content or rows.
type meanwhile struct {
	store.Mail
	put, add, remove func()
}

func (m *meanwhile) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	defer m.put()
	return m.Mail.PutContent(ctx, id, c, info)
}

func (m *meanwhile) AddMessages(ctx context.Context, entries []store.Entry) []error {
	defer m.add()
	return m.Mail.AddMessages(ctx, entries)
}

func (m *meanwhile) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	defer m.remove()
	return m.Mail.RemoveMessages(ctx, mailbox, ids)
}

// If the clock is set while a message is being stored, the delivery fails: before the rows are
// written, none is; after that the rows are removed again. The repetition is stored once, under an id
// of the right time.
func TestClockSetWhileStoring(t *testing.T) {
	for name, off := range map[string]time.Duration{
		"10 years ahead": 3650 * 24 * time.Hour, "10 years behind": -3650 * 24 * time.Hour,
		"6 minutes ahead": 6 * time.Minute, "2 minutes behind": -2 * time.Minute,
	} {
		for _, step := range []string{"put", "add"} {
			w := newClockWorld(t)
			a := w.account("u")
			m := &meanwhile{}
			var did []string
			on := func(s string) func() {
				return func() {
					if did = append(did, s); s == step && !slices.Contains(did, "set") {
						did = append(did, "set")
						w.clock.Set(off)
					}
				}
			}
			m.put, m.add, m.remove = on("put"), on("add"), on("remove")
			w.wrap = func(st store.Store) store.Store {
				m.Mail = st.Mail.Local
				return storetest.WithMail(st, m)
			}
			w.restart()
			if err := w.send(a); !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, at %s: mail was taken: %v", name, step, err)
			}
			want := map[string][]string{"put": {"put", "set"}, "add": {"put", "add", "set", "remove"}}[step]
			if !slices.Equal(did, want) {
				t.Errorf("%s, at %s: %q, want %q", name, step, did, want)
			}
			w.clock.Set(0)
			if err := w.send(a); err != nil {
				t.Errorf("%s, at %s: when the clock is right again: %v", name, step, err)
			}
			if n, err := w.list(a, mail.Retention(24*time.Hour)); n != 1 || err != nil {
				t.Errorf("%s, at %s: %d messages, %v; want one", name, step, n, err)
			}
		}
	}
}
