// Package smtptest sets up an SMTP or LMTP server for tests on any engine, and runs the transcripts
// of package smtpserver on the server.
//
// The directory has the domain example.test with the accounts alice, bob, carol, postmaster and,
// disabled, dave; and jürgen.example with jürgen. The server's name is mx.example.test.
//
// Options of a transcript:
//
//	recipients, bad, refused, line, size   limits
//	tls=1                         STARTTLS is offered
//	no-postmaster=1               the configuration names no postmaster
//	fault=...                     the fault of the store, see faultOf
//	alice=1, bob=2...             the count of messages in a mailbox at the end; default 0
package smtptest

import (
	"testing"

	"popelago/delivery"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/mailtest/sessiontest"
	"popelago/smtpserver"
	"popelago/store"
)

// Fixture is a server with accounts.
type Fixture struct {
	*sessiontest.Fixture
	*smtpserver.Server
	Deliverer *delivery.Deliverer
}

// Settings are the settings that a test may change for a Fixture.
type Settings struct {
	Server   smtpserver.Config
	Delivery delivery.Config
	// Wrap returns the store for delivery, a wrapper of the store of the Fixture; nil: no wrapper.
	Wrap func(store.Store) store.Store
	// Deliverer belongs to another Fixture on the same store, which has the accounts already; nil: a
	// new Deliverer.
	Deliverer *delivery.Deliverer
}

// New sets up accounts and a server on st, which must be empty. change may be nil.
func New(t testing.TB, st store.Store, protocol smtpserver.Protocol, change func(*Settings)) *Fixture {
	t.Helper()
	f := &Fixture{Fixture: sessiontest.New(t, st)}
	set := Settings{Server: smtpserver.Config{Protocol: protocol, Hostname: "mx.example.test", Connections: f.Connections}}
	set.Delivery.Postmaster = sessiontest.Address("postmaster")
	if change != nil {
		change(&set)
	}
	if f.Deliverer = set.Deliverer; f.Deliverer == nil {
		f.addAccounts(t)
		f.Deliverer = f.newDeliverer(t, set)
	}
	var err error
	if f.Server, err = smtpserver.New(set.Server, f.Deliverer, f.Registry); err != nil {
		t.Fatal(err)
	}
	f.Start(t, f.Server)
	return f
}

func (f *Fixture) addAccounts(t testing.TB) {
	t.Helper()
	f.AddAccounts(t, "alice", "bob", "carol", "dave", "postmaster")
	f.Disable(t, "dave")
	f.AddDomain(t, "jürgen.example")
	jürgen := mail.Address{Local: "jürgen", Domain: "jürgen.example"}
	if _, err := f.Directory.AddAccount(t.Context(), jürgen, sessiontest.Password); err != nil {
		t.Fatal(err)
	}
}

func (f *Fixture) newDeliverer(t testing.TB, set Settings) *delivery.Deliverer {
	t.Helper()
	seen := f.Fixture
	if set.Wrap != nil {
		seen = sessiontest.New(t, set.Wrap(f.Store))
	}
	d, err := delivery.New(set.Delivery, seen.Directory, seen.Store, nil)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// Client starts a session from 192.0.2.1 and says hello.
func (f *Fixture) Client(t testing.TB, hello string) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, f.Dial(t, "192.0.2.1"))
	Hello(c, hello)
	return c
}

// Hello reads the greeting, sends a hello and reads the reply.
func Hello(c *mailtest.Client, hello string) {
	c.Expect("220 ")
	c.Cmd(hello)
	for line := c.Expect("250"); line[3] == '-'; {
		line = c.Expect("250")
	}
}

// Text is a message without the trace lines that the server added: the text that the sender sent,
// behind the gap if the text has no header.
func Text(t testing.TB, message string) string {
	t.Helper()
	lines := 0
	for i := 0; i < len(message); i++ {
		if message[i] != '\n' {
			continue
		}
		lines++
		if next := message[i+1:]; lines >= 3 && (next == "" || next[0] != '\t') {
			return next
		}
	}
	t.Fatalf("%q does not begin with the trace lines", message)
	return ""
}
