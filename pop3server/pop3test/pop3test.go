// Package pop3test sets up a POP3 server for tests on any engine, and runs the transcripts of
// package pop3server on it.
//
// The directory has the domain example.test (the default for logins) with the accounts alice
// and bob, enabled, and carol, disabled. All passwords are "secret word".
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
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/store"
)

// Password is that of all accounts.
const Password = "secret word"

// Config is the server's, for those who use nothing else of it.
type Config = pop3server.Config

// Fixture is a server with accounts.
type Fixture struct {
	Store     store.Store
	Directory *account.Directory
	Server    *pop3server.Server
	TLS       *mailtest.TLS
	Registry  *prometheus.Registry
	Alice     mail.MailboxID
	Bob       mail.MailboxID

	ids *mail.IDSource
}

// New sets up accounts and a server on st, which must be empty. cfg.TLS is filled in if
// tlsOffered. The server is shut down when the test ends, before st is closed by whoever
// opened it.
func New(t testing.TB, st store.Store, cfg pop3server.Config, tlsOffered bool) *Fixture {
	t.Helper()
	f := &Fixture{Store: st, ids: mail.NewIDSource(nil)}
	if tlsOffered {
		f.TLS = mailtest.Certificate(t)
		cfg.TLS = f.TLS.Server
	}
	f.Directory, _ = newDirectory(t, st)
	ctx := context.Background()
	if _, err := f.Directory.AddDomain(ctx, "example.test"); err != nil {
		t.Fatal(err)
	}
	if err := f.Directory.LearnRetentions(ctx, true); err != nil { // as a server does when it starts
		t.Fatal(err)
	}
	f.Alice = f.AddAccount(t, "alice")
	f.Bob = f.AddAccount(t, "bob")
	f.AddAccount(t, "carol")
	carol := mail.Address{Local: "carol", Domain: "example.test"}
	if err := f.Directory.SetState(ctx, carol, store.StateDisabled); err != nil {
		t.Fatal(err)
	}
	return f.On(t, st, cfg)
}

// On sets up another server for the accounts and mailboxes of f, which reaches them through
// st, such as a wrapper that injects faults.
func (f *Fixture) On(t testing.TB, st store.Store, cfg pop3server.Config) *Fixture {
	t.Helper()
	g := *f
	g.Store = st
	g.Directory, g.Registry = newDirectory(t, st)
	var err error
	g.Server, err = pop3server.New(cfg, g.Directory, st.Mail, g.Registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		g.Server.Shutdown(ctx)
		g.checkPanics(t)
	})
	return &g
}

func newDirectory(t testing.TB, st store.Store) (*account.Directory, *prometheus.Registry) {
	t.Helper()
	reg := prometheus.NewRegistry()
	dir, err := account.New(account.Config{
		DefaultDomain: "example.test",
		Argon2Memory:  64, Argon2Time: 1,
	}, st.Directory, reg)
	if err != nil {
		t.Fatal(err)
	}
	return dir, reg
}

// checkPanics fails the test if a session panicked.
func (f *Fixture) checkPanics(t testing.TB) {
	if n := f.Counter(t, "popelago_pop3server_sessions_total", "result", "panicked"); n != 0 {
		t.Errorf("%v sessions panicked", n)
	}
}

// Counter returns the value of a metric; label and value may be empty.
func (f *Fixture) Counter(t testing.TB, name, label, value string) float64 {
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
			if label == "" {
				return m.GetCounter().GetValue()
			}
			for _, pair := range m.GetLabel() {
				if pair.GetName() == label && pair.GetValue() == value {
					return m.GetCounter().GetValue()
				}
			}
		}
	}
	t.Fatalf("no metric %s with %s=%q", name, label, value)
	return 0
}

// AddAccount makes an account of example.test.
func (f *Fixture) AddAccount(t testing.TB, local string) mail.MailboxID {
	t.Helper()
	a, err := f.Directory.AddAccount(context.Background(), mail.Address{Local: local, Domain: "example.test"}, Password)
	if err != nil {
		t.Fatal(err)
	}
	return a.Mailbox
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

// samples are the first contents of a maildrop in transcripts, and the unique-ids they
// brought along. Further ones are like the last, without a unique-id of their own.
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

// Dial starts a session; remote is the client's address, or empty.
func (f *Fixture) Dial(remote string) net.Conn {
	client, server := mailtest.Pipe(remote)
	go f.Server.ServeConn(server)
	return client
}

// Client is Dial for a scripted client that has read the greeting.
func (f *Fixture) Client(t testing.TB) *mailtest.Client {
	t.Helper()
	c := mailtest.NewClient(t, f.Dial(""))
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

// Listen serves on a loopback port until the test ends.
func (f *Fixture) Listen(t testing.TB) (addr string) {
	t.Helper()
	return f.listen(t, f.Server.Serve)
}

// ListenTLS is Listen for connections that begin with TLS.
func (f *Fixture) ListenTLS(t testing.TB) (addr string) {
	t.Helper()
	return f.listen(t, f.Server.ServeTLS)
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
		f.Server.Shutdown(ctx)
		if err := <-done; err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return l.Addr().String()
}

// RunTranscripts runs the transcripts that match glob, each on an empty store from open,
// which closes it when its t ends.
func RunTranscripts(t *testing.T, glob string, open func(t *testing.T) store.Store) {
	t.Helper()
	mailtest.RunTranscripts(t, glob, func(t *testing.T, options map[string]string) net.Conn {
		t.Helper()
		o, err := parseOptions(options)
		if err != nil {
			t.Fatal(err)
		}
		f := New(t, open(t), o.cfg, o.tls != "no")
		if retention := time.Duration(o.expireDays) * 24 * time.Hour; retention > 0 {
			if _, err := f.Directory.ChangeDomain(t.Context(), "example.test", store.DomainChange{Retention: &retention}); err != nil {
				t.Fatal(err)
			}
		}
		f.AddSamples(t, o.mail)
		if o.tls != "yes" {
			return f.Dial(o.remote)
		}
		client, server := mailtest.Pipe(o.remote)
		l := &oneConn{conn: make(chan net.Conn, 1), addr: server.RemoteAddr()}
		l.conn <- server
		go f.Server.ServeTLS(l)
		tc := tls.Client(client, f.TLS.Client)
		if err := tc.Handshake(); err != nil {
			t.Fatal(err)
		}
		return tc
	})
}

type options struct {
	cfg  pop3server.Config
	mail int
	// expireDays is the retention of the domain; 0: for ever.
	expireDays int
	remote     string
	tls        string
}

func parseOptions(given map[string]string) (o options, err error) {
	o.cfg.FailureDelay = -1
	o.tls = "stls"
	number := func(value string) (n int) {
		if n, err = strconv.Atoi(value); err != nil {
			err = fmt.Errorf("option value %q: %w", value, err)
		}
		return n
	}
	for key, value := range given {
		if err != nil {
			break
		}
		switch key {
		case "mail":
			o.mail = number(value)
		case "remote":
			o.remote = value
		case "tls":
			o.tls = value
		case "insecure":
			o.cfg.AllowInsecureAuth = value == "yes"
		case "banner":
			o.cfg.Banner = value
		case "implementation":
			o.cfg.Implementation = value
		case "expire-days":
			o.expireDays = number(value)
		case "login-delay":
			o.cfg.LoginDelay, err = time.ParseDuration(value)
		case "max-line":
			o.cfg.MaxLine = number(value)
		case "bad-commands":
			o.cfg.MaxBadCommands = number(value)
		case "failed-logins":
			o.cfg.MaxFailedLogins = number(value)
		default:
			err = fmt.Errorf("unknown option %q", key)
		}
	}
	return o, err
}

// oneConn is a net.Listener of one connection.
type oneConn struct {
	conn  chan net.Conn
	addr  net.Addr
	close sync.Once
}

func (l *oneConn) Accept() (net.Conn, error) {
	if c, ok := <-l.conn; ok {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (l *oneConn) Close() error {
	l.close.Do(func() { close(l.conn) })
	return nil
}

func (l *oneConn) Addr() net.Addr { return l.addr }
