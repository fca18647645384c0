package pop3server_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/pop3server"
	"popelago/pop3server/pop3test"
)

// left are the unique-ids in a mailbox, joined by spaces.
func left(t testing.TB, f *pop3test.Fixture, mailbox mail.MailboxID) string {
	t.Helper()
	rows, _, err := f.Store.Mail.Local.ListMessages(context.Background(), mailbox, mail.MessageID{}, 5000)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, m := range rows {
		names = append(names, string(m.UniqueID()))
	}
	return strings.Join(names, " ")
}

func checkLeft(t testing.TB, f *pop3test.Fixture, want string) {
	t.Helper()
	if got := left(t, f, f.Alice); got != want {
		t.Errorf("in the mailbox: %q, want %q", got, want)
	}
}

// waitSessions waits until a session was counted with a result.
func waitSessions(t testing.TB, f *pop3test.Fixture, result string, want float64) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if got := f.Metric(t, "popelago_pop3server_sessions_total", "result", result); got != want {
			return fmt.Errorf("%v sessions ended with %s, want %v", got, result, want)
		}
		return nil
	})
}

func TestRETRGivesTheOctetsThatLISTTold(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	var want [][]byte
	for _, m := range mailtest.Corpus() {
		if m.Huge {
			continue
		}
		text := []byte(nil)
		if m.Large {
			text = mailtest.Large(2_000_000)
		} else {
			text = m.Octets()
		}
		f.Add(t, f.Alice, string(text), mail.UIDL(m.Name))
		want = append(want, append([]byte(pop3test.Header()), text...))
	}
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	for i, text := range want {
		size := fmt.Sprint(len(text))
		if got := c.Do(fmt.Sprintf("LIST %d", i+1), "+OK"); !strings.HasSuffix(got, " "+size) {
			t.Errorf("message %d: LIST says %q, want %s", i+1, got, size)
		}
		c.Do(fmt.Sprintf("RETR %d", i+1), "+OK "+size)
		if got := c.ReadMultiline(); !bytes.Equal(got, text) {
			t.Errorf("message %d: RETR gives %d octets, want %d", i+1, len(got), len(text))
		}
		c.Do(fmt.Sprintf("TOP %d 2000000", i+1), "+OK")
		if got := c.ReadMultiline(); !bytes.Equal(got, text) {
			t.Errorf("message %d: TOP of all gives %d octets, want %d", i+1, len(got), len(text))
		}
		c.Do(fmt.Sprintf("TOP %d 0", i+1), "+OK")
		header, _, found := bytes.Cut(text, []byte("\r\n\r\n"))
		if found {
			header = append(header[:len(header):len(header)], "\r\n\r\n"...)
		}
		if got := c.ReadMultiline(); !bytes.Equal(got, header) {
			t.Errorf("message %d: TOP 0 gives %q, want %q", i+1, cut(got), cut(header))
		}
	}
	c.Do("QUIT", "+OK")
	c.ExpectEOF()
}

func cut(b []byte) []byte { return b[:min(len(b), 200)] }

func TestQuitRemovesAndNothingElseDoes(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.AddSamples(t, 3)

	c := f.LogIn(t)
	c.Do("DELE 1", "+OK")
	c.Close()
	waitSessions(t, f, "disconnected", 1)
	checkLeft(t, f, "first second third!~")

	c = f.LogIn(t)
	c.Do("DELE 1", "+OK")
	c.Send("QUIT") // and the connection drops
	c.Sync()
	c.Close()
	waitSessions(t, f, "disconnected", 2)
	checkLeft(t, f, "first second third!~")

	c = f.LogIn(t)
	c.Do("DELE 1", "+OK")
	c.Do("RSET", "+OK")
	c.Do("DELE 2", "+OK")
	c.Do("QUIT", "+OK")
	checkLeft(t, f, "first third!~") // as soon as the response has arrived
	c.ExpectEOF()

	if n := f.Metric(t, "popelago_pop3server_removed_messages_total", "durability", "local"); n != 1 {
		t.Errorf("%v removals were counted, want 1", n)
	}
	c = f.LogIn(t)
	c.Do("STAT", "+OK 2 212")
	c.Do("UIDL 2", "+OK 2 third!~")
}

func TestTwoSessionsOnOneMaildrop(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.AddSamples(t, 3)
	a, b := f.LogIn(t), f.LogIn(t)
	a.Do("DELE 1", "+OK")
	a.Do("DELE 2", "+OK")
	b.Do("STAT", "+OK 3")
	b.Do("DELE 2", "+OK")
	b.Do("DELE 3", "+OK")
	a.Do("QUIT", "+OK")
	checkLeft(t, f, "third!~")
	b.Do("STAT", "+OK 1 ") // its own marks, its own list
	b.Do("UIDL 1", "+OK 1 first")
	b.Do("QUIT", "+OK") // 2 is gone already: no error
	checkLeft(t, f, "")
}

func TestDeliveryIntoAMaildropBeingDrained(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	const messages = 300
	done := make(chan error, 1)
	go func() {
		for i := range messages {
			if _, err := f.TryAdd(f.Alice, "Subject: x\r\n\r\nbody\r\n", mail.UIDL(fmt.Sprint("m", i))); err != nil {
				done <- err
				return
			}
		}
		done <- nil
	}()
	seen := map[string]int{}
	drain := func() {
		c := f.LogIn(t)
		c.Do("UIDL", "+OK")
		lines := strings.Split(strings.TrimSpace(string(c.ReadMultiline())), "\r\n")
		for _, line := range lines {
			n, u, found := strings.Cut(line, " ")
			if !found {
				continue
			}
			c.Do("RETR "+n, "+OK")
			c.ReadMultiline()
			c.Do("DELE "+n, "+OK")
			seen[u]++
		}
		c.Do("QUIT", "+OK")
		c.Close()
	}
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		drain()
	}
	if len(seen) != messages {
		t.Errorf("%d messages were seen, want %d", len(seen), messages)
	}
	for u, n := range seen {
		if n != 1 {
			t.Errorf("%s was seen %d times", u, n)
		}
	}
	checkLeft(t, f, "")
}

func TestPipelining(t *testing.T) {
	const n = 1000
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	text := "Subject: x\r\n\r\n" + strings.Repeat(strings.Repeat("x", 100)+"\r\n", 10)
	for range n {
		f.Add(t, f.Alice, text, "")
	}
	addr := f.Listen(t)
	logIn := func() *mailtest.Client {
		c := mailtest.Dial(t, addr)
		c.Send("USER alice\r\nPASS " + pop3test.Password + "\r\n")
		for range 3 {
			c.Expect("+OK")
		}
		return c
	}
	all := func(command string) string {
		var b strings.Builder
		for i := range n {
			fmt.Fprintf(&b, "%s %d\r\n", command, i+1)
		}
		return b.String()
	}
	c := logIn()
	c.Send(all("RETR"))
	for range n {
		c.Expect("+OK")
		if got := string(c.ReadMultiline()); got != pop3test.Header()+text {
			t.Fatalf("got %q", got)
		}
	}
	c.Send(all("UIDL") + all("DELE") + "QUIT\r\n")
	for range 2*n + 1 {
		c.Expect("+OK")
	}
	c.ExpectEOF()
	c = logIn()
	c.Do("STAT", "+OK 0 0")
}

// A client that sends all commands before it reads gets all responses.
func TestPipeliningWithoutReading(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.Add(t, f.Alice, content8K, "")
	conn, err := net.Dial("tcp", f.Listen(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Minute))
	commands := "USER alice\r\nPASS " + pop3test.Password + "\r\n" + strings.Repeat("RETR 1\r\n", 1000) + "QUIT\r\n"
	if _, err := io.WriteString(conn, commands); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(got, []byte("\r\n.\r\n")); n != 1000 || !bytes.HasSuffix(got, []byte("\r\n.\r\n+OK bye\r\n")) {
		t.Errorf("%d texts, then %q", n, got[len(got)-20:])
	}
}

func TestManySessionsAtOnce(t *testing.T) {
	const sessions = 500
	cfg := patient()
	cfg.MaxSessionsPerAccount = sessions
	f := pop3test.New(t, openStore(t), cfg, true)
	f.AddSamples(t, 3)
	addr := f.Listen(t)
	var ready, done sync.WaitGroup
	ready.Add(sessions)
	done.Add(sessions)
	for i := range sessions {
		go func() {
			defer done.Done()
			arrive := sync.OnceFunc(ready.Done)
			defer arrive()
			c := mailtest.Dial(t, addr)
			c.Timeout = 10 * time.Minute
			defer c.Close()
			c.Expect("+OK")
			if i%10 == 0 {
				c.Do("STLS", "+OK")
				c.StartTLS(f.TLS.Client)
			}
			c.Do("USER alice", "+OK")
			c.Do("PASS "+pop3test.Password, "+OK 3 ")
			arrive()
			ready.Wait() // all 500 sessions are open now
			c.Do("RETR 1", "+OK 125")
			if n := len(c.ReadMultiline()); n != 125 {
				t.Errorf("%d octets", n)
			}
			c.Do("QUIT", "+OK")
			c.ExpectEOF()
		}()
	}
	done.Wait()
	waitSessions(t, f, "quit", sessions)
}

func TestSTLSOfOneClientLeavesOthersAlone(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, true)
	addr := f.Listen(t)
	a, b := mailtest.Dial(t, addr), mailtest.Dial(t, addr)
	a.Expect("+OK")
	b.Expect("+OK")
	b.Do("USER alice", "+OK")
	a.Do("STLS", "+OK")
	b.Do("NOOP", "-ERR")
	a.StartTLS(f.TLS.Client)
	b.Do("PASS "+pop3test.Password, "+OK")
	a.Do("NOOP", "-ERR")
	a.Do("USER bob", "+OK")
	a.Do("PASS "+pop3test.Password, "+OK")
	b.Do("QUIT", "+OK")
	a.Do("QUIT", "+OK")
}

func TestFailedHandshakeClosesTheSession(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, true)
	f.AddSamples(t, 1)
	c := f.Client(t)
	c.Do("STLS", "+OK")
	c.Send("USER alice\r\nPASS " + pop3test.Password + "\r\nDELE 1\r\nQUIT\r\n")
	rest, _ := io.ReadAll(c.Conn())
	if bytes.Contains(rest, []byte("+OK")) {
		t.Errorf("after a failed handshake: %q", rest)
	}
	waitSessions(t, f, "tls_failed", 1)
	checkLeft(t, f, "first")

	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}
	c = f.Client(t)
	c.Do("STLS", "+OK")
	if err := c.TryStartTLS(old); err == nil {
		t.Error("TLS 1.1 is accepted")
	}
	waitSessions(t, f, "tls_failed", 2)
}

func TestSASLResponsesMayBeLong(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{FailureDelay: -1}, false)
	response := func(octets int) string { // in base64
		message := "\x00alice\x00" + strings.Repeat("x", octets/4*3-len("\x00alice\x00"))
		return base64.StdEncoding.EncodeToString([]byte(message))
	}
	c := f.Client(t)
	c.Do("AUTH PLAIN", "+ ")
	c.Do(response(12288), "-ERR [AUTH] login failed")
	c.Do("AUTH PLAIN "+response(12288), "-ERR [AUTH] login failed")
	c.Do("AUTH PLAIN", "+ ")
	c.Do(response(12292), "-ERR bad base64")
	c.Do("AUTH PLAIN", "+ ")
	c.Do(response(20000), "-ERR line too long")
	c.Do("PASS "+response(12288), "-ERR line too long")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
}

func TestEndlessLineEndsTheSession(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Send(strings.Repeat("x", 400_000))
	c.Expect("-ERR line too long")
	c.ExpectEOF()
}

func TestTooManyConnections(t *testing.T) {
	outside := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	// A refused client has a second to read the reason.
	underFakeClock(t, outside, pop3server.Config{MaxConns: 3, MaxConnsPerAddr: 1}, func(t *testing.T, f *pop3test.Fixture) {
		dial := func(remote string) *mailtest.Client { return mailtest.NewClient(t, f.Dial(t, remote)) }
		a := dial("192.0.2.1")
		a.Expect("+OK")
		b := dial("192.0.2.1")
		b.Expect("-ERR [SYS/TEMP] too many connections")
		b.ExpectEOF()
		dial("192.0.2.2").Expect("+OK")
		dial("192.0.2.3").Expect("+OK")
		dial("192.0.2.4").Expect("-ERR [SYS/TEMP] too many connections")
	})
}

func TestShutdown(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.AddSamples(t, 3)
	addr := f.Listen(t)
	idle := mailtest.Dial(t, addr)
	idle.Expect("+OK")
	idle.Do("USER alice", "+OK")
	idle.Do("PASS "+pop3test.Password, "+OK")
	idle.Do("DELE 1", "+OK")
	fresh := mailtest.Dial(t, addr)
	fresh.Expect("+OK")
	var told sync.WaitGroup
	told.Go(func() {
		for _, c := range []*mailtest.Client{idle, fresh} {
			c.Expect("-ERR [SYS/TEMP] server is shutting down")
			c.ExpectEOF()
			c.Close()
		}
	})
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	if err := f.Server.Shutdown(ctx); err != nil {
		t.Errorf("Shutdown: %v", err)
	}
	told.Wait()
	checkLeft(t, f, "first second third!~")
	if _, err := net.Dial("tcp", addr); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("after Shutdown: %v", err)
	}
}

func TestForcedClose(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	f.Add(t, f.Alice, strings.Repeat(strings.Repeat("x", 998)+"\r\n", 20_000), "big")
	c := mailtest.Dial(t, f.Listen(t))
	c.Expect("+OK")
	c.Do("USER alice", "+OK")
	c.Do("PASS "+pop3test.Password, "+OK")
	c.Do("DELE 1", "+OK")
	c.Do("RSET", "+OK")
	c.Do("RETR 1", "+OK") // and reads no further
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := f.Server.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Shutdown: %v, want %v", err, context.DeadlineExceeded)
	}
	if text, err := c.TryMultiline(); err == nil {
		t.Errorf("the text ends in good order after %d octets", len(text))
	}
	checkLeft(t, f, "big")
}

func TestConfigIsChecked(t *testing.T) {
	f := pop3test.New(t, openStore(t), pop3server.Config{}, false)
	for name, cfg := range map[string]pop3server.Config{
		"APOP banner":    {Banner: "ready <1896.697170952@dbc.mtview.ca.us>"},
		"two lines":      {Banner: "ready\r\n+OK"},
		"implementation": {Implementation: "x\r\nUSER"},
		"not ASCII":      {Banner: "grüß Gott"},
		"login delay":    {LoginDelay: -1},
	} {
		if _, err := pop3server.New(cfg, f.Directory, f.Store.Mail, nil); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	s, err := pop3server.New(pop3server.Config{}, f.Directory, f.Store.Mail, nil)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ServeTLS(l); err == nil {
		t.Error("ServeTLS without a certificate: no error")
	}
	if _, err := pop3server.New(pop3server.Config{}, f.Directory, f.Store.Mail, f.Registry); err == nil {
		t.Error("metrics registered twice: no error")
	}
}
