package smtpserver_test

import (
	"context"
	"io"
	"net"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/account"
	"popelago/delivery"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/store"
	"popelago/store/embedded"
)

// rig is a server on an embedded engine in memory. The domain example.test has the accounts
// alice, bob, carol, postmaster and, disabled, dave; jürgen.example has jürgen.
type rig struct {
	*smtpserver.Server
	dir   *account.Directory
	store store.Store
}

// settings are what a test may change about a rig.
type settings struct {
	server   smtpserver.Config
	delivery delivery.Config
	wrap     func(store.Store) store.Store // what delivery sees
}

func newRig(t testing.TB, protocol smtpserver.Protocol, change func(*settings)) *rig {
	t.Helper()
	st, err := embedded.Open(embedded.Config{Dir: "data", FS: vfs.NewMem(), Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := st.Close(); err != nil {
			t.Errorf("close the store: %v", err)
		}
	})
	return newRigOn(t, st, protocol, change)
}

func newRigOn(t testing.TB, st store.Store, protocol smtpserver.Protocol, change func(*settings)) *rig {
	t.Helper()
	set := settings{server: smtpserver.Config{Protocol: protocol, Hostname: "mx.example.test"}}
	set.delivery.Postmaster = address("postmaster")
	if change != nil {
		change(&set)
	}
	r := &rig{store: st}
	directory := func(st store.Store) *account.Directory {
		dir, err := account.New(account.Config{Argon2Memory: 8, Argon2Time: 1}, st, nil)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	r.dir = directory(st)
	seed(t, r.dir)
	seen, dir := st, r.dir
	if set.wrap != nil {
		seen = set.wrap(st)
		dir = directory(seen)
	}
	deliverer, err := delivery.New(set.delivery, dir, seen, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r.Server, err = smtpserver.New(set.server, deliverer, nil); err != nil {
		t.Fatal(err)
	}
	return r
}

func address(local string) mail.Address { return mail.Address{Local: local, Domain: "example.test"} }

func seed(t testing.TB, dir *account.Directory) {
	t.Helper()
	ctx := context.Background()
	for _, d := range []string{"example.test", "jürgen.example"} {
		if _, err := dir.AddDomain(ctx, d); err != nil {
			t.Fatal(err)
		}
	}
	for _, a := range []mail.Address{
		address("alice"), address("bob"), address("carol"), address("dave"), address("postmaster"),
		{Local: "jürgen", Domain: "jürgen.example"},
	} {
		if _, err := dir.AddAccount(ctx, a, "secret"); err != nil {
			t.Fatal(err)
		}
	}
	if err := dir.SetState(ctx, address("dave"), store.StateDisabled); err != nil {
		t.Fatal(err)
	}
}

// dial opens a session over a pipe, as from 192.0.2.1.
func (r *rig) dial(t testing.TB) net.Conn {
	client, server := mailtest.Pipe("192.0.2.1")
	done := make(chan struct{})
	go func() {
		defer close(done)
		r.ServeConn(server)
	}()
	t.Cleanup(func() {
		client.Close()
		<-done
	})
	return client
}

// client is dial with the greeting read and hello said.
func (r *rig) client(t testing.TB, hello string) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, r.dial(t))
	c.Expect("220 ")
	c.Cmd(hello)
	for line := c.Expect("250"); line[3] == '-'; {
		line = c.Expect("250")
	}
	return c
}

// inbox returns what a POP3 session would fetch from a mailbox, and checks that every size is
// true.
func (r *rig) inbox(t testing.TB, a mail.Address) []string {
	t.Helper()
	ctx := context.Background()
	acc, err := r.dir.Account(ctx, a)
	if err != nil {
		t.Fatal(err)
	}
	drop, err := maildrop.Open(ctx, r.store, acc.Mailbox, maildrop.Options{})
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

// text is what was sent: a message without the lines that we added.
func text(t testing.TB, message string) string {
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
