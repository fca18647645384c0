// Package deliverytest helps tests that deliver messages: a server on an embedded engine, with
// accounts, and checks of its results.
package deliverytest

import (
	"context"
	"io"
	"net/netip"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/delivery"
	"popelago/ledger"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
	"popelago/store/embedded"
)

// Server is a Deliverer and its ledger.
type Server struct {
	*delivery.Deliverer
	Ledger *ledger.Ledger
}

// NewServer makes a server. The ledger has the clock, the window and the logger of cfg.
func NewServer(t testing.TB, cfg delivery.Config, ledgerConfig ledger.Config, dir *account.Directory, st store.Store, reg prometheus.Registerer) *Server {
	t.Helper()
	ledgerConfig.Now, ledgerConfig.Window, ledgerConfig.Logger = cfg.Now, cfg.Window, cfg.Logger
	l, err := ledger.New(ledgerConfig, st, reg)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Ledger = l
	d, err := delivery.New(cfg, dir, st, reg)
	if err != nil {
		t.Fatal(err)
	}
	return &Server{Deliverer: d, Ledger: l}
}

// World is a server on an embedded engine, with accounts alice, bob and root in example.test.
type World struct {
	*Server
	Directory *account.Directory
	Embedded  store.Engine // without Options.Wrap
	Registry  *prometheus.Registry
}

// Options changes a World. The zero value is a world in memory.
type Options struct {
	Delivery delivery.Config
	Ledger   ledger.Config
	// Dir is the folder of the engine. Empty: in memory.
	Dir string
	// Wrap returns the store that the server sees. Nil: the engine.
	Wrap func(store.Store) store.Store
}

// New makes a World that ends with the test.
func New(t testing.TB, o Options) *World {
	t.Helper()
	open := embedded.Config{Dir: o.Dir, Reserve: -1}
	if o.Dir == "" {
		open.Dir, open.FS = "data", vfs.NewMem()
	}
	engine, err := embedded.Open(open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := engine.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	w := &World{Embedded: engine, Registry: prometheus.NewRegistry()}
	st := store.Single(engine)
	if o.Wrap != nil {
		st = o.Wrap(st)
	}
	if w.Directory, err = account.New(account.Config{Argon2Memory: 8, Argon2Time: 1}, st.Directory, nil); err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	if _, err := w.Directory.AddDomain(ctx, "example.test"); err != nil {
		t.Fatal(err)
	}
	for _, local := range []string{"alice", "bob", "root"} {
		if _, err := w.Directory.AddAccount(ctx, Address(local), "secret"); err != nil {
			t.Fatal(err)
		}
	}
	w.Server = NewServer(t, o.Delivery, o.Ledger, w.Directory, st, w.Registry)
	return w
}

// Address returns the address with a local-part in example.test.
func Address(local string) mail.Address { return mail.Address{Local: local, Domain: "example.test"} }

// Mailbox returns the mailbox of a local-part in example.test.
func Mailbox(local string) mail.MailboxID {
	return mail.DeriveMailboxID(Address(local), mail.MessageID{})
}

// Envelope returns an envelope with the recipients of some local-parts.
func (w *World) Envelope(t testing.TB, locals ...string) mail.Envelope {
	t.Helper()
	e := mail.Envelope{ReversePath: "sender@example.org", Received: mail.Received{
		Helo: "client.example", Remote: netip.MustParseAddr("2001:db8::1"), By: "mx.example.test", With: "ESMTP", ID: "session.1",
	}}
	for _, local := range locals {
		r, err := w.Check(context.Background(), Address(local))
		if err != nil {
			t.Fatal(err)
		}
		e.Recipients, e.PerCommand = append(e.Recipients, r...), append(e.PerCommand, len(r))
	}
	return e
}

// Deliver delivers a text in one piece, and returns one error for each recipient.
func (s *Server) Deliver(ctx context.Context, e mail.Envelope, r io.Reader) []error {
	in, err := s.Begin(ctx, e)
	if err == nil {
		defer in.Discard()
		_, err = in.ReadFrom(r)
	}
	if err != nil {
		errs := make([]error, e.Commands())
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	return in.Finish(ctx).Errors
}

// Open lists a mailbox.
func (w *World) Open(t testing.TB, local string) *maildrop.Maildrop {
	t.Helper()
	drop, err := maildrop.Open(context.Background(), store.Single(w.Embedded).Mail, Mailbox(local), maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return drop
}

// Messages reads all messages of a mailbox.
func (w *World) Messages(t testing.TB, local string) []string {
	t.Helper()
	drop := w.Open(t, local)
	var all []string
	for n := 1; n <= drop.Len(); n++ {
		all = append(all, ReadMessage(t, drop, n))
	}
	return all
}

// ReadMessage reads one message of a mailbox, and checks its size.
func ReadMessage(t testing.TB, drop *maildrop.Maildrop, n int) string {
	t.Helper()
	r, err := drop.Read(context.Background(), n)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	octets, err := io.ReadAll(r)
	if err != nil || int64(len(octets)) != r.Size {
		t.Fatalf("read %d octets of %d: %v", len(octets), r.Size, err)
	}
	return string(octets)
}

// Gather returns the sum of a counter or gauge over its labels.
func Gather(t testing.TB, reg *prometheus.Registry, name string) (sum float64) {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if f.GetName() == name {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}
