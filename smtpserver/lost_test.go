package smtpserver_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
	"popelago/store"
	"popelago/store/storetest"
)

// heldStore calls a function of the test while a message is being stored.
type heldStore struct {
	store.Mail
	storing func()
}

func (h *heldStore) wrap(st store.Store) store.Store {
	h.Mail = st.Mail.Local
	return storetest.WithMail(st, h)
}

func (h *heldStore) AddMessages(ctx context.Context, entries []store.Entry) []error {
	errs := h.Mail.AddMessages(ctx, entries)
	if h.storing != nil {
		h.storing()
	}
	return errs
}

// sockets serves one connection at a time over the sockets of this machine.
type sockets struct {
	*smtptest.Fixture
	l    net.Listener
	over chan struct{} // closed at the end of the session
}

func newSockets(t *testing.T, r *smtptest.Fixture, network string) *sockets {
	t.Helper()
	addr := "127.0.0.1:0"
	if network == "unix" {
		addr = filepath.Join(t.TempDir(), "socket")
	}
	l, err := net.Listen(network, addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return &sockets{Fixture: r, l: l}
}

// open begins a session, and sends a hello and a message without its end.
func (s *sockets) open(t *testing.T, hello string, recipients ...string) *mailtest.Client {
	t.Helper()
	over := make(chan struct{})
	s.over = over
	go func() {
		defer close(over)
		if nc, err := s.l.Accept(); err == nil {
			s.ServeConn(nc)
		}
	}()
	nc, err := net.Dial(s.l.Addr().Network(), s.l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { nc.Close(); <-over })
	c := mailtest.NewClient(t, nc)
	smtptest.Hello(c, hello)
	c.Do("MAIL FROM:<sender@example.org>", "250 ")
	for _, local := range recipients {
		c.Do("RCPT TO:<"+local+"@example.test>", "250 ")
	}
	c.Do("DATA", "354 ")
	c.Send("Subject: x\r\n\r\nsample\r\n")
	return c
}

// TestReplyLost: a client that cannot have received the reply sends the message again, and the
// mailbox gets no second copy. A client that can have received the reply gets a second copy.
func TestReplyLost(t *testing.T) {
	const end = ".\r\n"
	replies := func(t *testing.T, c *mailtest.Client, n int) {
		for range n {
			c.Expect("250 ")
		}
	}
	reset := func(c *mailtest.Client) {
		if tcp, ok := c.Conn().(*net.TCPConn); ok {
			tcp.SetLinger(0)
		}
		c.Close()
	}
	for _, test := range []struct {
		name    string
		end     string                   // of the text, sent first
		storing func(c *mailtest.Client) // while the message is being stored
		then    func(c *mailtest.Client) // after all replies are read
		partly  func(c *mailtest.Client) // instead of then: some replies are read
		copies  int
	}{
		{name: "QUIT", end: end, then: func(c *mailtest.Client) { c.Do("QUIT", "221 ") }, copies: 2},
		{name: "QUIT at once", end: end + "QUIT\r\n", then: func(c *mailtest.Client) { c.Expect("221 "); c.ExpectEOF() }, copies: 2},
		{name: "no QUIT", end: end, then: func(c *mailtest.Client) { c.Close() }, copies: 2},
		{name: "half closed", end: end, storing: func(c *mailtest.Client) {
			c.Conn().(interface{ CloseWrite() error }).CloseWrite()
		}, then: func(c *mailtest.Client) { c.ExpectEOF() }, copies: 2},
		{name: "another command", end: end, then: func(c *mailtest.Client) { c.Do("NOOP", "250 "); reset(c) }, copies: 2},

		{name: "closed", end: end, storing: func(c *mailtest.Client) { c.Close() }, copies: 1},
		{name: "reset", end: end, storing: reset, copies: 1},
		{name: "closed behind QUIT", end: end + "QUIT\r\n", storing: func(c *mailtest.Client) { c.Close() }, copies: 1},
		{name: "closed behind more", end: end + "NOOP\r\nMAIL FROM:<>\r\n", storing: func(c *mailtest.Client) { c.Close() }, copies: 1},
		{name: "closed unread", end: end, partly: func(c *mailtest.Client) {
			// The reply is in the client's system, unread.
			if _, err := c.Conn().Read(make([]byte, 1)); err != nil {
				c.Close()
				return
			}
			c.Close()
		}, copies: 1},
	} {
		for _, protocol := range []smtpserver.Protocol{smtpserver.SMTP, smtpserver.LMTP} {
			for _, network := range []string{"tcp", "unix"} {
				t.Run(fmt.Sprintf("%s/%s/%s", test.name, protocol, network), func(t *testing.T) {
					held := &heldStore{}
					var log mailtest.Log
					r := newRig(t, protocol, func(s *smtptest.Settings) {
						s.Server.Logger = slog.New(slog.NewJSONHandler(&log, nil))
						s.Server.AcknowledgementTimeout = time.Hour
						s.Wrap = held.wrap
					})
					hello, n := "EHLO client.example", 1
					if protocol == smtpserver.LMTP {
						hello, n = "LHLO client.example", 2
					}
					s := newSockets(t, r, network)
					c := s.open(t, hello, "alice", "bob")
					if test.storing != nil {
						held.storing = func() { test.storing(c) }
					}
					c.Send(test.end)
					switch {
					case test.partly != nil:
						test.partly(c)
					case test.then != nil:
						replies(t, c, n)
						test.then(c)
						c.Close()
					}
					<-s.over
					held.storing = nil

					c = s.open(t, hello, "alice", "bob")
					c.Send(end)
					replies(t, c, n)
					c.Do("QUIT", "221 ")
					c.Close()
					<-s.over
					for _, local := range []string{"alice", "bob"} {
						if got := r.Inbox(t, local); len(got) != test.copies {
							t.Errorf("%s has %d messages, want %d", local, len(got), test.copies)
						}
					}
					lines := messageLines(t, &log)
					if len(lines) != 2 || (lines[1]["repeated"] == true) != (test.copies == 1) {
						t.Errorf("the log has %v", lines)
					}
					if test.copies == 1 && lines[1]["message"] != lines[0]["message"] {
						t.Errorf("ids differ: %v", lines)
					}
				})
			}
		}
	}
}

// TestReplyLostByForce: a server that is stopped closes all connections in the end, even while it
// stores their messages.
func TestReplyLostByForce(t *testing.T) {
	held := &heldStore{}
	r := newRig(t, smtpserver.SMTP, func(s *smtptest.Settings) {
		s.Wrap = held.wrap
	})
	s := newSockets(t, r, "tcp")
	c := s.open(t, "EHLO client.example", "alice")
	stopped := make(chan error)
	storing, stop := make(chan bool), make(chan bool)
	held.storing = func() { storing <- true; <-stop }
	c.Send(".\r\n")
	<-storing
	ctx, cancel := context.WithCancel(t.Context())
	go func() { stopped <- r.Shutdown(ctx) }()
	cancel()
	if _, err := io.ReadAll(c.Conn()); err != nil {
		t.Logf("the client sees %v", err)
	}
	stop <- true
	held.storing = nil
	<-stopped
	<-s.over
	again := smtptest.New(t, r.Store, smtpserver.SMTP, func(s *smtptest.Settings) { s.Deliverer = r.Deliverer })
	c = newSockets(t, again, "tcp").open(t, "EHLO client.example", "alice")
	c.Send(".\r\n")
	c.Expect("250 ")
	if got := r.Inbox(t, "alice"); len(got) != 1 {
		t.Errorf("alice has %d messages", len(got))
	}
}

// TestRepeated: a sender that got a temporary reply sends the message again.
func TestRepeated(t *testing.T) {
	for _, test := range []struct {
		protocol smtpserver.Protocol
		mode     storetest.Mode
		first    []string // replies
		again    []string // recipients
	}{
		{smtpserver.SMTP, storetest.Half, []string{"451"}, []string{"alice", "bob"}},
		{smtpserver.SMTP, storetest.After, []string{"451"}, []string{"alice", "bob"}},
		{smtpserver.LMTP, storetest.Half, []string{"250", "451"}, []string{"bob"}},
		{smtpserver.LMTP, storetest.After, []string{"451", "451"}, []string{"bob", "alice"}},
	} {
		t.Run(string(test.protocol)+"/"+test.mode.String(), func(t *testing.T) {
			fault := &storetest.Fault{Operation: "AddMessages", Mode: test.mode, Lasting: true}
			r := newRig(t, test.protocol, func(s *smtptest.Settings) {
				s.Wrap = func(st store.Store) store.Store { return storetest.Faulty(st, fault) }
			})
			hello := map[smtpserver.Protocol]string{"smtp": "EHLO x", "lmtp": "LHLO x"}[test.protocol]
			send := func(recipients, replies []string) {
				c := r.Client(t, hello)
				c.Do("MAIL FROM:<sender@example.org>", "250 ")
				for _, local := range recipients {
					c.Do("RCPT TO:<"+local+"@example.test>", "250 ")
				}
				c.Do("DATA", "354 ")
				c.Send("Subject: x\r\n\r\n" + strings.Repeat("x", 100) + "\r\n.\r\n")
				for _, code := range replies {
					c.Expect(code + " ")
				}
				c.Do("QUIT", "221 ")
			}
			send([]string{"alice", "bob"}, test.first)
			ok := []string{"250", "250"}
			if test.protocol == smtpserver.SMTP {
				ok = ok[:1]
			}
			fault.Off.Store(true)
			send(test.again, ok[:min(len(ok), len(test.again))])
			for _, local := range []string{"alice", "bob"} {
				if got := r.Inbox(t, local); len(got) != 1 {
					t.Errorf("%s has %d messages", local, len(got))
				}
			}
		})
	}
}
