package pop3server_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"popelago/mail"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
	"popelago/store"
)

// scriptConn is a connection whose peer has sent all input already.
type scriptConn struct {
	in  []byte
	out bytes.Buffer
}

func (c *scriptConn) Read(p []byte) (int, error) {
	if len(c.in) == 0 {
		return 0, io.EOF
	}
	n := copy(p, c.in)
	c.in = c.in[n:]
	return n, nil
}

func (c *scriptConn) Write(p []byte) (int, error)      { return c.out.Write(p) }
func (c *scriptConn) Close() error                     { return nil }
func (c *scriptConn) LocalAddr() net.Addr              { return &net.UnixAddr{} }
func (c *scriptConn) RemoteAddr() net.Addr             { return &net.UnixAddr{} }
func (c *scriptConn) SetDeadline(time.Time) error      { return nil }
func (c *scriptConn) SetReadDeadline(time.Time) error  { return nil }
func (c *scriptConn) SetWriteDeadline(time.Time) error { return nil }

// keeping is a store that counts removals and removes nothing.
type keeping struct {
	store.Mail
	removals int
}

func (s *keeping) RemoveListed(context.Context, mail.MailboxID, []mail.Message) error {
	s.removals++
	return nil
}

// states are the inputs that lead to each state that reads a line.
var states = []string{
	"",
	"USER alice\r\n",
	"AUTH PLAIN\r\n",
	"AUTH LOGIN\r\n",
	"AUTH LOGIN YWxpY2U=\r\n",
	"STLS\r\n",
	"USER alice\r\nPASS " + pop3test.Password + "\r\n",
	"USER alice\r\nPASS " + pop3test.Password + "\r\nDELE 1\r\nDELE 2\r\n",
	"USER bob\r\nPASS " + pop3test.Password + "\r\n",
}

// FuzzSession sends any octets in any state: the server answers or closes, in well-formed lines, and
// removes no message without QUIT.
func FuzzSession(f *testing.F) {
	for _, line := range []string{
		"CAPA", "QUIT", "LANG *", "UTF8", "USER x", "PASS x", "AUTH", "AUTH PLAIN =", "AUTH LOGIN", "*", "STLS", "STAT",
		"LIST", "LIST 2", "UIDL", "UIDL 4", "RETR 1", "RETR 4", "TOP 1 1", "TOP 2 99999", "DELE 3", "RSET", "NOOP",
		"APOP a b", "", " ", "AGFsaWNlAHNlY3JldCB3b3Jk",
	} {
		for i := range states {
			f.Add(i, []byte(line+"\r\n"+line+"\r\nQUIT\r\n"))
		}
	}
	outside := pop3test.New(f, openStore(f), pop3server.Config{}, true)
	outside.AddSamples(f, 4)
	st := &keeping{Mail: outside.Store.Mail.Local}
	fixture := onMail(f, outside, st, pop3server.Config{FailureDelay: -1, TLS: outside.TLS.Server})
	sessions := 0.0
	f.Fuzz(func(t *testing.T, state int, input []byte) {
		state = max(state, -(state+1)) % len(states)
		st.removals = 0
		conn := &scriptConn{in: append([]byte(states[state]), input...)}
		fixture.Server.ServeConn(conn)
		if sessions++; int(sessions)%64 == 0 {
			if n := fixture.Metric(t, "popelago_pop3server_sessions_total", "result", "panicked"); n > 0 {
				t.Fatal("a session panicked")
			}
		}
		quit := bytes.Contains(bytes.ToUpper(input), []byte("QUIT"))
		if st.removals > 1 || st.removals > 0 && !(quit && strings.Contains(states[state]+strings.ToUpper(string(input)), "DELE")) {
			t.Errorf("%q after %q: %d removals", input, states[state], st.removals)
		}
		if err := wellFormed(conn.out.Bytes()); err != nil && !strings.Contains(strings.ToUpper(states[state]+string(input)), "STLS") {
			t.Errorf("%q after %q: %v in %q", input, states[state], err, conn.out.Bytes())
		}
	})
}

// wellFormed checks that out consists of lines that end in CRLF and are no longer than clients accept.
func wellFormed(out []byte) error {
	if !bytes.HasPrefix(out, []byte("+OK ")) {
		return fmt.Errorf("the greeting")
	}
	rest, ok := bytes.CutSuffix(out, []byte("\r\n"))
	if !ok {
		return fmt.Errorf("no line end at the end")
	}
	for line := range bytes.SplitSeq(rest, []byte("\r\n")) {
		if bytes.ContainsAny(line, "\r\n") {
			return fmt.Errorf("a bare CR or LF in %q", line)
		}
		if len(line) > 510 {
			return fmt.Errorf("a line of %d octets", len(line))
		}
	}
	return nil
}
