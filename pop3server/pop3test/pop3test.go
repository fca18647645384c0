// Package pop3test sets up a POP3 server for tests on any engine, and runs the transcripts of
// package pop3server on the server.
//
// The directory has the domain example.test (the default for logins) with the accounts alice and
// bob, enabled, and carol, disabled. All passwords are "secret word".
//
// Options of a transcript:
//
//	mail=N            messages in alice's maildrop, default 0; see AddSamples
//	remote=IP         the client's address, default none (as on a unix socket)
//	tls=no|stls|yes   not offered; offered (default); implicit, after its handshake
//	insecure=yes      Config.AllowInsecureAuth
//	banner, implementation, expire-days, login-delay, max-line, bad-commands, failed-logins
//	                  the settings of Config
package pop3test

import (
	"context"
	"testing"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/mailtest/sessiontest"
	"popelago/pop3server"
	"popelago/store"
)

// Password is the password of all accounts.
const Password = sessiontest.Password

// Config is the configuration of the server, for tests that use nothing else of package pop3server.
type Config = pop3server.Config

// Fixture is a server with accounts.
type Fixture struct {
	*sessiontest.Fixture
	Server *pop3server.Server
	TLS    *mailtest.TLS
	Alice  mail.MailboxID
	Bob    mail.MailboxID

	ids *mail.IDSource
}

// New sets up accounts and a server on st, which must be empty. tlsOffered fills in cfg.TLS. The
// server is shut down at the end of the test, before the function that opened st closes st.
func New(t testing.TB, st store.Store, cfg pop3server.Config, tlsOffered bool) *Fixture {
	t.Helper()
	f := &Fixture{Fixture: sessiontest.New(t, st), ids: mail.NewIDSource(nil)}
	if tlsOffered {
		f.TLS = mailtest.Certificate(t)
		cfg.TLS = f.TLS.Server
	}
	f.AddAccounts(t)
	if err := f.Directory.LearnRetentions(context.Background(), true); err != nil { // as a server does when it starts
		t.Fatal(err)
	}
	f.Alice = f.AddAccount(t, "alice")
	f.Bob = f.AddAccount(t, "bob")
	f.AddAccount(t, "carol")
	f.Disable(t, "carol")
	return f.On(t, st, cfg)
}

// On sets up another server for the accounts and mailboxes of f. The server reaches both through st,
// such as a wrapper that injects faults.
func (f *Fixture) On(t testing.TB, st store.Store, cfg pop3server.Config) *Fixture {
	t.Helper()
	g := *f
	g.Fixture = sessiontest.New(t, st)
	if cfg.Connections == nil {
		cfg.Connections = g.Connections
	}
	var err error
	g.Server, err = pop3server.New(cfg, g.Directory, st.Mail, g.Registry)
	if err != nil {
		t.Fatal(err)
	}
	g.Start(t, g.Server)
	return &g
}

// Sender is the reverse-path of all messages.
const Sender = "sender@example.org"

// Recipient is the recipient of all messages.
const Recipient = "alice@example.test"

// Header is the delivery header of all messages.
func Header() string { return mail.DeliveryHeader(Sender, Recipient) }

// Add stores a message in a mailbox and returns its row. u may be empty.
func (f *Fixture) Add(t testing.TB, mailbox mail.MailboxID, content string, u mail.UIDL) mail.Message {
	t.Helper()
	m, err := f.TryAdd(mailbox, content, u)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// TryAdd is Add that returns its error.
func (f *Fixture) TryAdd(mailbox mail.MailboxID, content string, u mail.UIDL) (mail.Message, error) {
	ctx := context.Background()
	c, err := f.Store.Mail.Local.NewContent(ctx)
	if err != nil {
		return mail.Message{}, err
	}
	defer c.Discard()
	if _, err := c.Write([]byte(content)); err != nil {
		return mail.Message{}, err
	}
	m := mail.Message{ID: f.ids.Next(), Size: int64(len(Header()) + len(content)), Recipient: Recipient, UIDL: u}
	info := store.ContentInfo{ReversePath: Sender, Mailboxes: []mail.MailboxID{mailbox}}
	if err := f.Store.Mail.Local.PutContent(ctx, m.ID, c, info); err != nil {
		return mail.Message{}, err
	}
	return m, f.Store.Mail.Local.AddMessages(ctx, []store.Entry{{Mailbox: mailbox, Message: m}})[0]
}

// samples are the contents of the first messages of a maildrop in transcripts, and their unique-ids.
// Further messages are like the last sample, without a unique-id of their own.
var samples = []struct {
	uidl    mail.UIDL
	content string
}{
	{"first", "Subject: one\r\nX-Dot: .\r\n\r\nline 1\r\n.line 2\r\n\r\n.\r\nline 5\r\n"},
	{"second", "Subject: two, no blank line\r\n"},
	{"third!~", "Subject: three\r\n\r\n"},
	{"", "Subject: more\r\n\r\nbody\r\n"},
}

// AddSamples stores the first n samples in alice's mailbox.
func (f *Fixture) AddSamples(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		s := samples[min(i, len(samples)-1)]
		f.Add(t, f.Alice, s.content, s.uidl)
	}
}

// Client starts a session and reads the greeting.
func (f *Fixture) Client(t testing.TB) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, f.Dial(t, ""))
	c.Expect("+OK")
	return c
}

// LogIn is Client, logged in as alice.
func (f *Fixture) LogIn(t testing.TB) *mailtest.Client {
	t.Helper()
	c := f.Client(t)
	c.Do("USER alice", "+OK")
	c.Do("PASS "+Password, "+OK")
	return c
}
