package pop3server_test

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
	"popelago/wire"
)

// patient is a configuration in which no limit of time ends a session during a test.
func patient() pop3server.Config {
	return pop3server.Config{WriteTimeout: 24 * time.Hour, HandshakeTimeout: 24 * time.Hour, IdleTimeout: 24 * time.Hour, LoginTimeout: -1}
}

// onlySession waits for the only open session, with a command in execution; empty: none.
func onlySession(t *testing.T, f *pop3test.Fixture, command string) (s wire.Session) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		all := f.Server.OpenSessions()
		if len(all) != 1 || all[0].Command != command {
			return fmt.Errorf("sessions: %+v, want one with the command %q", all, command)
		}
		s = all[0]
		return nil
	})
	return s
}

func noSession(t *testing.T, f *pop3test.Fixture) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if all := f.Server.OpenSessions(); len(all) > 0 {
			return fmt.Errorf("sessions: %+v, want none", all)
		}
		return nil
	})
}

// endOnce ends a session, and repeats the order in vain.
func endOnce(t *testing.T, f *pop3test.Fixture, id string) {
	t.Helper()
	if !f.Server.EndSession(id) {
		t.Error("the session was not ended")
	}
	if f.Server.EndSession(id) {
		t.Error("the session was ended twice")
	}
}

// counted counts the octets read.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// The administrator ends a session in the middle of a large message, whose client reads slowly or has stopped to
// read. The end comes although the output cannot be sent, the client cannot take the text for whole, and QUIT
// behind is not executed.
func TestDisconnectInText(t *testing.T) {
	const size = 24 << 20 // more than the buffers of two sockets
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, true)
	outside.Add(t, outside.Alice, strings.Repeat(content8K, size/len(content8K)), "big")
	outside.Add(t, outside.Alice, "Subject: x\r\n\r\ny\r\n", "second")
	for _, secure := range []bool{false, true} {
		for _, stops := range []bool{false, true} {
			t.Run(fmt.Sprintf("TLS %v, client stops %v", secure, stops), func(t *testing.T) {
				var read atomic.Int64
				cfg := patient()
				cfg.TLS = outside.TLS.Server
				f := onMail(t, outside, &failing{Mail: outside.Store.Mail.Local, open: func(r io.ReadCloser) (io.ReadCloser, error) {
					return counted{r, &read}, nil
				}}, cfg)
				c := mailtest.Dial(t, f.Listen(t))
				c.Expect("+OK")
				if secure {
					c.Do("STLS", "+OK")
					c.StartTLS(outside.TLS.Client)
				}
				c.Do("USER alice", "+OK")
				c.Do("PASS "+pop3test.Password, "+OK")
				c.Do("DELE 2", "+OK")
				c.Send("RETR 1\r\nQUIT\r\n")
				c.Expect("+OK")
				s := onlySession(t, f, "RETR")
				if stops {
					mailtest.WaitFor(t, 10*time.Minute, func() error { // until the server has filled the buffers
						before := read.Load()
						time.Sleep(100 * time.Millisecond)
						if now := read.Load(); now != before {
							return fmt.Errorf("%d octets read, and %d before", now, before)
						}
						return nil
					})
				} else if _, err := io.CopyN(io.Discard, c.Conn(), 100_000); err != nil {
					t.Fatal(err)
				}
				endOnce(t, f, s.ID)
				waitSessions(t, f, "administrator", 1)
				noSession(t, f)
				if n := read.Load(); n >= size {
					t.Errorf("the server read the message to its end: %d octets", n)
				}
				text, err := c.TryMultiline()
				if err == nil || errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) && !secure {
					t.Errorf("after %d octets: %v, want no orderly end", len(text), err)
				}
				checkLeft(t, outside, "big second")
			})
		}
	}
}

// The administrator ends a session during its TLS handshake: behind STLS, and at the begin of a connection.
func TestDisconnectInHandshake(t *testing.T) {
	f := pop3test.New(t, openStore(t), patient(), true)
	t.Run("STLS", func(t *testing.T) {
		c := mailtest.Dial(t, f.Listen(t))
		c.Expect("+OK")
		c.Do("STLS", "+OK")
		endOnce(t, f, onlySession(t, f, "STLS").ID)
		c.ExpectEOF()
		waitSessions(t, f, "administrator", 1)
		noSession(t, f)
	})
	f = pop3test.New(t, openStore(t), patient(), true)
	t.Run("pop3s", func(t *testing.T) {
		nc, err := net.Dial("tcp", f.ListenTLS(t))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		endOnce(t, f, onlySession(t, f, "").ID)
		// The server may notice the end of the session when the client has all that it needs of the handshake.
		nc.SetDeadline(time.Now().Add(10 * time.Minute))
		c := tls.Client(nc, f.TLS.Client)
		err = c.Handshake()
		if err == nil {
			_, err = c.Read(make([]byte, 1))
		}
		if err == nil || errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("after the handshake: %v", err)
		}
		noSession(t, f)
	})
}

// The administrator ends a session while QUIT removes messages. The client gets the true answer: all are removed, or
// the removal has failed.
func TestDisconnectInQUIT(t *testing.T) {
	for _, test := range []struct {
		name   string
		fault  error
		answer string
		left   string
	}{
		{"removed", nil, "+OK bye", "third!~"},
		{"failed", store.ErrClosed, "-ERR [SYS/TEMP] some deleted messages not removed", "first second third!~"},
	} {
		t.Run(test.name, func(t *testing.T) {
			outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
			outside.AddSamples(t, 3)
			entered, release := make(chan struct{}), make(chan struct{})
			f := onMail(t, outside, &failing{Mail: outside.Store.Mail.Local, remove: func(context.Context) error {
				close(entered)
				<-release
				return test.fault
			}}, patient())
			c := mailtest.Dial(t, f.Listen(t))
			c.Expect("+OK")
			c.Do("USER alice", "+OK")
			c.Do("PASS "+pop3test.Password, "+OK")
			c.Do("DELE 1", "+OK")
			c.Do("DELE 2", "+OK")
			c.Cmd("QUIT")
			<-entered
			endOnce(t, f, onlySession(t, f, "QUIT").ID)
			checkLeft(t, outside, "first second third!~")
			close(release)
			c.Expect(test.answer)
			c.ExpectEOF()
			noSession(t, f)
			checkLeft(t, outside, test.left)
		})
	}
}

// Several administrators end a session at the same time: one of them does, and the client is told once.
func TestDisconnectAtOnce(t *testing.T) {
	f := pop3test.New(t, openStore(t), patient(), false)
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	id := onlySession(t, f, "").ID
	var ended atomic.Int64
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if f.Server.EndSession(id) {
				ended.Add(1)
			}
		})
	}
	wg.Wait()
	if n := ended.Load(); n != 1 {
		t.Errorf("the session was ended %d times", n)
	}
	c.Expect("-ERR [SYS/TEMP] session ended by the administrator")
	c.ExpectEOF()
	noSession(t, f)
}

// The administrator ends a session that ends by itself at the same moment: the messages are removed exactly if the client
// was told so.
func TestDisconnectBesideQUIT(t *testing.T) {
	f := pop3test.New(t, openStore(t), patient(), false)
	addr := f.Listen(t)
	answers := map[string]int{}
	const rounds = 40
	for n := range rounds {
		f.Add(t, f.Alice, "Subject: x\r\n\r\ny\r\n", "one")
		c := mailtest.Dial(t, addr)
		c.Expect("+OK")
		c.Do("USER alice", "+OK")
		c.Do("PASS "+pop3test.Password, "+OK")
		c.Do("DELE 1", "+OK")
		id := onlySession(t, f, "").ID
		var wg sync.WaitGroup
		wg.Go(func() { c.Cmd("QUIT") })
		wg.Go(func() {
			for range n * 20 { // the moments differ
				f.Server.OpenSessions()
			}
			f.Server.EndSession(id)
		})
		answer := c.Line()
		c.ExpectEOF()
		wg.Wait()
		noSession(t, f)
		switch {
		case answer == "+OK bye":
			checkLeft(t, f, "")
		case strings.HasPrefix(answer, "-ERR [SYS/TEMP] session ended by the administrator"):
			checkLeft(t, f, "one")
			again := f.LogIn(t)
			again.Do("DELE 1", "+OK")
			again.Do("QUIT", "+OK bye")
			noSession(t, f)
		default:
			t.Errorf("QUIT: %q", answer)
		}
		answers[answer[:3]]++
	}
	t.Logf("%d times: %v", rounds, answers)
}
