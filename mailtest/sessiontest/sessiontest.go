// Package sessiontest sets up accounts and a protocol server for tests on any engine. The test kits
// of the protocol servers, packages pop3test and smtptest, share the package.
//
// All accounts belong to the domain example.test, which is also the default domain of logins.
package sessiontest

import (
	"context"
	"io"
	"net"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/store"
	"popelago/wire"
)

// Password is the password of all accounts.
const Password = "secret word"

const domain = "example.test"

// Address is an address of example.test.
func Address(local string) mail.Address { return mail.Address{Local: local, Domain: domain} }

// Server is a protocol server.
type Server interface {
	Serve(l net.Listener) error
	ServeTLS(l net.Listener) error
	ServeConn(nc net.Conn)
	Shutdown(ctx context.Context) error
}

// Fixture holds accounts on a store, and a server.
type Fixture struct {
	Store     store.Store
	Directory *account.Directory
	// Registry has the metrics of Directory, of Connections and of the server.
	Registry *prometheus.Registry
	// Connections counts the connections of the server.
	Connections *wire.Metrics

	server Server
}

// New makes a Fixture on st. The Fixture has no server yet: see Start.
func New(t testing.TB, st store.Store) *Fixture {
	t.Helper()
	f := &Fixture{Store: st, Registry: prometheus.NewRegistry()}
	f.Connections = wire.NewMetrics(f.Registry)
	var err error
	f.Directory, err = account.New(account.Config{DefaultDomain: domain, Argon2Memory: 64, Argon2Time: 1}, st.Directory, f.Registry)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// AddDomain adds a domain.
func (f *Fixture) AddDomain(t testing.TB, name string) {
	t.Helper()
	if _, err := f.Directory.AddDomain(t.Context(), name); err != nil {
		t.Fatal(err)
	}
}

// AddAccounts adds example.test and accounts.
func (f *Fixture) AddAccounts(t testing.TB, locals ...string) {
	t.Helper()
	f.AddDomain(t, domain)
	for _, local := range locals {
		f.AddAccount(t, local)
	}
}

// AddAccount adds an account and returns its mailbox.
func (f *Fixture) AddAccount(t testing.TB, local string) mail.MailboxID {
	t.Helper()
	a, err := f.Directory.AddAccount(t.Context(), Address(local), Password)
	if err != nil {
		t.Fatal(err)
	}
	return a.Mailbox
}

// Disable disables an account.
func (f *Fixture) Disable(t testing.TB, local string) {
	t.Helper()
	if err := f.Directory.SetState(t.Context(), Address(local), store.StateDisabled); err != nil {
		t.Fatal(err)
	}
}

// Start makes srv the server of the Fixture. At the end of the test the server is shut down; a
// session that panicked fails the test.
func (f *Fixture) Start(t testing.TB, srv Server) {
	f.server = srv
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		srv.Shutdown(ctx)
		if n, _ := f.sum(t, "popelago_wire_panics_total", "", ""); n != 0 {
			t.Errorf("%v sessions panicked", n)
		}
	})
}

// Dial starts a session over a pipe, which is closed at the end of the test. remote is the client's
// address, or empty.
func (f *Fixture) Dial(t testing.TB, remote string) net.Conn {
	client, server := mailtest.Pipe(remote)
	go f.server.ServeConn(server)
	t.Cleanup(func() { client.Close() })
	return client
}

// Listen serves on a loopback port until the end of the test.
func (f *Fixture) Listen(t testing.TB) (addr string) {
	t.Helper()
	return f.listen(t, f.server.Serve)
}

// ListenTLS is Listen for connections that begin with TLS.
func (f *Fixture) ListenTLS(t testing.TB) (addr string) {
	t.Helper()
	return f.listen(t, f.server.ServeTLS)
}

func (f *Fixture) listen(t testing.TB, serve func(net.Listener) error) (addr string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- serve(l) }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		f.server.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// Inbox returns the messages that a POP3 session would fetch from the mailbox of an account, and
// checks the size of each message.
func (f *Fixture) Inbox(t testing.TB, local string) []string {
	t.Helper()
	ctx := context.Background()
	a, err := f.Directory.Account(ctx, Address(local))
	if err != nil {
		t.Fatal(err)
	}
	drop, err := maildrop.Open(ctx, f.Store.Mail, a.Mailbox, maildrop.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var messages []string
	for n := 1; n <= drop.Len(); n++ {
		m, err := drop.Read(ctx, n)
		if err != nil {
			t.Fatal(err)
		}
		octets, err := io.ReadAll(m)
		if err != nil {
			t.Fatal(err)
		}
		if int64(len(octets)) != m.Size {
			t.Errorf("message %d has %d octets, listed are %d", n, len(octets), m.Size)
		}
		m.Close()
		messages = append(messages, string(octets))
	}
	return messages
}

// Metric returns the value of a counter or gauge; label and value may be empty. A metric that does
// not exist ends the test.
func (f *Fixture) Metric(t testing.TB, name, label, value string) float64 {
	t.Helper()
	sum, found := f.sum(t, name, label, value)
	if !found {
		t.Fatalf("no metric %s with %s=%q", name, label, value)
	}
	return sum
}

// sum adds up the metrics with a name and, unless label is empty, a label. found is false if there is
// no such metric.
func (f *Fixture) sum(t testing.TB, name, label, value string) (sum float64, found bool) {
	t.Helper()
	families, err := f.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, m := range family.GetMetric() {
			matches := label == ""
			for _, pair := range m.GetLabel() {
				matches = matches || pair.GetName() == label && pair.GetValue() == value
			}
			if matches {
				sum, found = sum+m.GetCounter().GetValue()+m.GetGauge().GetValue(), true
			}
		}
	}
	return sum, found
}
