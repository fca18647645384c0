// Package smtptest sets up an SMTP or LMTP server for tests on any engine, and runs the
// transcripts of package smtpserver on it.
//
// The directory has the domain example.test with the accounts alice, bob, carol, postmaster and,
// disabled, dave; and jürgen.example with jürgen. The server's name is mx.example.test.
//
// Options of a transcript:
//
//	recipients, bad, refused, line, size   limits
//	tls=1                         STARTTLS is offered
//	no-postmaster=1               nobody is configured as postmaster
//	fault=...                     what the store answers, see FaultyStore
//	alice=1, bob=2...             how many messages the mailbox must hold in the end; default 0
package smtptest

import (
	"context"
	"io"
	"net"
	"testing"

	"popelago/account"
	"popelago/delivery"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/store"
)

// Fixture is a server with accounts.
type Fixture struct {
	*smtpserver.Server
	Directory *account.Directory
	Store     store.Store
	Deliverer *delivery.Deliverer
}

// Settings are what a test may change about a Fixture.
type Settings struct {
	Server   smtpserver.Config
	Delivery delivery.Config
	// Wrap returns what delivery sees instead of the store; nil: the store itself.
	Wrap func(store.Store) store.Store
	// Deliverer is that of another Fixture on the same store, which has the accounts already;
	// nil: a new one.
	Deliverer *delivery.Deliverer
}

// New sets up accounts and a server on st, which must be empty. change may be nil.
func New(t testing.TB, st store.Store, protocol smtpserver.Protocol, change func(*Settings)) *Fixture {
	t.Helper()
	set := Settings{Server: smtpserver.Config{Protocol: protocol, Hostname: "mx.example.test"}}
	set.Delivery.Postmaster = Address("postmaster")
	if change != nil {
		change(&set)
	}
	f := &Fixture{Store: st, Directory: newDirectory(t, st), Deliverer: set.Deliverer}
	if f.Deliverer == nil {
		addAccounts(t, f.Directory)
		seen, directory := st, f.Directory
		if set.Wrap != nil {
			seen = set.Wrap(st)
			directory = newDirectory(t, seen)
		}
		var err error
		if f.Deliverer, err = delivery.New(set.Delivery, directory, seen, nil); err != nil {
			t.Fatal(err)
		}
	}
	var err error
	if f.Server, err = smtpserver.New(set.Server, f.Deliverer, nil); err != nil {
		t.Fatal(err)
	}
	return f
}

func newDirectory(t testing.TB, st store.Store) *account.Directory {
	t.Helper()
	directory, err := account.New(account.Config{Argon2Memory: 8, Argon2Time: 1}, st.Directory, nil)
	if err != nil {
		t.Fatal(err)
	}
	return directory
}

// Address is one of example.test.
func Address(local string) mail.Address { return mail.Address{Local: local, Domain: "example.test"} }

func addAccounts(t testing.TB, dir *account.Directory) {
	t.Helper()
	ctx := context.Background()
	for _, d := range []string{"example.test", "jürgen.example"} {
		if _, err := dir.AddDomain(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []mail.Address{
		Address("alice"), Address("bob"), Address("carol"), Address("dave"), Address("postmaster"),
		{Local: "jürgen", Domain: "jürgen.example"},
	} {
		if _, err := dir.AddAccount(ctx, a, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.SetState(ctx, Address("dave"), store.StateDisabled); err != nil {
		t.Fatal(err)
	}
}

// Dial opens a session over a pipe, as from 192.0.2.1.
func (f *Fixture) Dial(t testing.TB) net.Conn {
	client, server := mailtest.Pipe("192.0.2.1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		f.ServeConn(server)
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

// Client is Dial with the greeting read and hello said.
func (f *Fixture) Client(t testing.TB, hello string) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, f.Dial(t))
	c.Expect("220 ")
	c.Cmd(hello)
	for line := c.Expect("250"); line[3] == '-'; {
		line = c.Expect("250")
	}
	return c
}

// Inbox returns what a POP3 session would fetch from a mailbox, and checks that every size is
// true.
func (f *Fixture) Inbox(t testing.TB, a mail.Address) []string {
	t.Helper()
	ctx := context.Background()
	acc, err := f.Directory.Account(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	drop, err := maildrop.Open(ctx, f.Store.Mail, acc.Mailbox, maildrop.Options{})
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

// Text is a message without the trace lines that we added: what was sent, behind its gap if it has
// no header.
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
	t.Fatalf("%q does not begin with our lines", message)
	return ""
}
