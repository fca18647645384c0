package integration

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"popelago/mailtest"
)

// TestStop asks the server to stop while a delivery is under way: the delivery finishes and
// is acknowledged, idle sessions are told, nobody new comes in, and the exit code is 0.
func TestStop(t *testing.T) {
	s := startServer(t, setup{fixedPorts: true})
	a := s.account(t, "alice")
	sending := s.lmtpSession(t)
	startTransaction(sending, sender("slow"), []account{a})
	sending.Cmd("DATA")
	sending.Expect("250")
	sending.Expect("250")
	sending.Expect("354")
	sending.Send("Subject: slow\r\n\r\nfirst half\r\n")
	if err := sending.Sync(); err != nil {
		t.Fatal(err)
	}
	idle := s.login(t, a)
	unknown := mailtest.Dial(t, s.pop3)
	unknown.Expect("+OK")
	waiting := s.lmtpSession(t)

	s.proc.signal(syscall.SIGTERM)
	idle.Expect("-ERR [SYS/TEMP]")
	idle.ExpectEOF()
	unknown.Expect("-ERR [SYS/TEMP]")
	unknown.ExpectEOF()
	waiting.Expect("421 4.3.2")
	waiting.ExpectEOF()
	mailtest.WaitFor(t, startLimit, func() error {
		if dialable(s.pop3) == nil {
			return errors.New("the server still takes connections")
		}
		return nil
	})
	if !s.proc.running() {
		t.Fatal("the server did not wait for the delivery")
	}
	sending.Send("second half\r\n.\r\n")
	sending.Expect("250")
	if code := s.proc.wait(t, stopLimit); code != 0 {
		t.Errorf("exit code %d", code)
	}

	s.start(t)
	all := s.maildrop(t, a)
	if len(all) != 1 || !bytes.HasSuffix(all[0].octets, []byte("\r\n\r\nfirst half\r\nsecond half\r\n")) {
		t.Errorf("after the restart there are %d messages: %q", len(all), all)
	}
	s.stop(t)
}

// TestStopGivesUp stops a server whose client does not go on: after the configured time the
// session is cut off, and nothing is stored.
func TestStopGivesUp(t *testing.T) {
	s := startServer(t, setup{fixedPorts: true, settings: []string{`shutdown_timeout = "1s"`}})
	a := s.account(t, "alice")
	c := s.lmtpSession(t)
	startTransaction(c, sender("stuck"), []account{a})
	c.Cmd("DATA")
	c.Expect("250")
	c.Expect("250")
	c.Expect("354")
	c.Send("Subject: stuck\r\n")
	if err := c.Sync(); err != nil {
		t.Fatal(err)
	}
	s.proc.signal(syscall.SIGTERM)
	s.proc.wait(t, stopLimit)
	s.start(t)
	if n := s.count(t, a); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
}

// TestRestart checks that unique-ids, sizes, octets, order and accounts are the same after
// stop and start.
func TestRestart(t *testing.T) {
	s := startServer(t, setup{})
	a := s.account(t, "alice")
	s.deliverCorpus(t, map[account]func(mailtest.Message) bool{a: func(m mailtest.Message) bool { return !m.Large }})
	before := s.maildrop(t, a)
	s.stop(t)
	s.start(t)
	after := s.maildrop(t, a)
	if len(before) != len(after) {
		t.Fatalf("%d messages before, %d after", len(before), len(after))
	}
	for i := range before {
		if before[i].uidl != after[i].uidl || !bytes.Equal(before[i].octets, after[i].octets) {
			t.Errorf("message %d is another one after the restart", i+1)
		}
	}
}

// TestSecondServer starts two servers on one data folder: the second says so and ends, and
// the first goes on.
func TestSecondServer(t *testing.T) {
	s := startServer(t, setup{})
	a := s.account(t, "alice")
	second := newServer(t, setup{data: s.data})
	code, said := program{}.run(t, binary(t), "serve", "--config", second.conf)
	if code == 0 {
		t.Error("the second server ended with exit code 0")
	}
	if !strings.Contains(said, s.data) || !strings.Contains(said, "another") {
		t.Errorf("the second server does not say what is wrong: %s", said)
	}
	if strings.Contains(said, "goroutine ") {
		t.Errorf("the second server shows a stack: %s", said)
	}
	if n := s.count(t, a); n != 0 {
		t.Errorf("%d messages", n)
	}
	c := s.lmtpSession(t)
	send(t, c, sender("plain"), []account{a}, []byte("Subject: x\r\n\r\nx\r\n"))
	if n := s.count(t, a); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestCertificateReload replaces the certificate's files: new connections get the new one,
// and a broken file leaves the old one in use.
func TestCertificateReload(t *testing.T) {
	s := startServer(t, setup{})
	a := s.account(t, "alice")
	organization := func() string {
		conn, err := tls.Dial("tcp", s.pop3s, s.ca.client())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.Organization[0]
	}
	if got := organization(); got != "first" {
		t.Fatalf("the certificate is of %s", got)
	}
	session := s.login(t, a)
	s.ca.issue(t, s.certFile(), s.keyFile(), "second")
	mailtest.WaitFor(t, startLimit, func() error {
		if got := organization(); got != "second" {
			return fmt.Errorf("the certificate is still of %s", got)
		}
		return nil
	})
	session.Do("NOOP", "+OK")

	c := mailtest.Dial(t, s.smtp)
	c.Expect("220 ")
	c.Cmd("EHLO tests.example")
	endReply(c)
	c.Do("STARTTLS", "220")
	c.StartTLS(s.ca.client())
	c.Do("NOOP", "250")

	writeFile(t, s.certFile(), "this is no certificate\n")
	mailtest.WaitFor(t, startLimit, func() error {
		if got := organization(); got != "second" {
			t.Fatalf("with a broken file the certificate is of %s", got)
		}
		if !strings.Contains(s.proc.out.String(), "certificate not reloaded") {
			return errors.New("the broken certificate is not logged")
		}
		return nil
	})
	s.ca.issue(t, s.certFile(), s.keyFile(), "third")
	mailtest.WaitFor(t, startLimit, func() error {
		if got := organization(); got != "third" {
			return fmt.Errorf("the certificate is still of %s", got)
		}
		return nil
	})
}

// TestManySessions keeps 500 POP3 sessions open at once, all of them working.
func TestManySessions(t *testing.T) {
	const sessions = 500
	s := startServer(t, setup{})
	a := s.account(t, "alice")
	c := s.lmtpSession(t)
	for n := range 10 {
		send(t, c, sender(smallName(n)), []account{a}, smallMessage(n))
	}
	s.count(t, a) // the password is known from here on
	all := make([]*mailtest.Client, sessions)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = s.login(t, a) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d sessions open: the server has %d KiB resident", sessions, residentKiB(t, s.proc.cmd.Process.Pid))
	for i, c := range all {
		wg.Go(func() {
			c.Do("STAT", "+OK 10 ")
			n := i%10 + 1
			c.Do(fmt.Sprintf("RETR %d", n), "+OK")
			if got := c.ReadMultiline(); !bytes.HasSuffix(got, smallMessage(n-1)) {
				t.Errorf("session %d got %q", i, got)
			}
			c.Do("QUIT", "+OK")
		})
	}
	wg.Wait()
}

// TestTwoSessions opens one maildrop twice: each session keeps the list of its login, marks
// are its own until QUIT, and a message that the other removed does no harm.
func TestTwoSessions(t *testing.T) {
	s := startServer(t, setup{})
	a := s.account(t, "alice")
	in := s.lmtpSession(t)
	for n := range 3 {
		send(t, in, sender(smallName(n)), []account{a}, smallMessage(n))
	}
	one, two := s.login(t, a), s.login(t, a)
	one.Do("DELE 1", "+OK")
	two.Do("LIST 1", "+OK 1 ")
	two.Do("RETR 1", "+OK")
	two.ReadMultiline()
	send(t, in, sender(smallName(3)), []account{a}, smallMessage(3))
	two.Do("STAT", "+OK 3 ")
	one.Do("QUIT", "+OK")
	two.Do("STAT", "+OK 3 ")
	two.Do("RETR 2", "+OK")
	two.ReadMultiline()
	// Until its content is swept the message may still be read.
	two.Cmd("RETR 1")
	if strings.HasPrefix(two.Expect(""), "+OK") {
		two.ReadMultiline()
	}
	two.Do("DELE 1", "+OK") // removing twice is no fault
	two.Do("DELE 3", "+OK")
	two.Do("QUIT", "+OK")
	left := map[string]bool{}
	for _, m := range s.maildrop(t, a) {
		left[mark(m.octets)] = true
	}
	if len(left) != 2 || !left[smallName(1)] || !left[smallName(3)] {
		t.Errorf("left are %v", left)
	}
}

// TestDeliveryWhileDraining delivers into a maildrop that is being emptied: every message is
// fetched exactly once.
func TestDeliveryWhileDraining(t *testing.T) {
	const sessions, each = 4, 100
	s := startServer(t, setup{})
	a := s.account(t, "alice")
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			c := s.lmtpSession(t)
			for n := i * each; n < (i+1)*each; n++ {
				send(t, c, sender(smallName(n)), []account{a}, smallMessage(n))
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	seen, uidls := map[string]int{}, map[string]bool{}
	for last := false; ; {
		select {
		case <-done:
			last = true
		default:
		}
		c := s.login(t, a)
		list := listing(t, c, "UIDL")
		for i, uidl := range list {
			if uidls[uidl] {
				t.Errorf("unique-id %s comes again", uidl)
			}
			uidls[uidl] = true
			c.Do(fmt.Sprintf("RETR %d", i+1), "+OK")
			seen[mark(c.ReadMultiline())]++
			c.Do(fmt.Sprintf("DELE %d", i+1), "+OK")
		}
		c.Do("QUIT", "+OK")
		c.Close()
		if last && len(list) == 0 {
			break
		}
	}
	for n := range sessions * each {
		if seen[smallName(n)] != 1 {
			t.Errorf("%s was fetched %d times", smallName(n), seen[smallName(n)])
		}
	}
}

// TestDev runs what the README tells a newcomer to run: no configuration, two accounts ready,
// and a self-signed certificate.
func TestDev(t *testing.T) {
	data := filepath.Join(publicDir(t), "data")
	addresses := map[string]string{}
	args := []string{"serve", "--dev", "--data", data}
	for _, protocol := range []string{"pop3", "pop3s", "smtp", "lmtp"} {
		addresses[protocol] = freeAddress(t)
		args = append(args, "--"+protocol, addresses[protocol])
	}
	s := &server{data: data, pop3: addresses["pop3"], pop3s: addresses["pop3s"], smtp: addresses["smtp"], lmtp: addresses["lmtp"]}
	for range 2 { // the second start finds everything there
		cmd := commandOf(binary(t), args...)
		s.proc = startProcess(t, cmd)
		passwords := filepath.Join(data, "dev-passwords.txt")
		mailtest.WaitFor(t, startLimit, func() error {
			if !s.proc.running() {
				t.Fatalf("the server ended:\n%s", s.proc.out.String())
			}
			return errors.Join(dialable(s.pop3), dialable(s.lmtp), fileError(passwords))
		})
		found := map[string]account{}
		for line := range strings.Lines(readFile(t, passwords)) {
			if f := strings.Fields(line); len(f) == 2 && strings.Contains(f[0], "@") {
				found[f[0]] = account{f[0], f[1]}
			}
		}
		alice, bob := found["alice@example.test"], found["bob@example.test"]
		if alice.password == "" || bob.password == "" {
			t.Fatalf("accounts in %s: %v", passwords, found)
		}
		info, err := os.Stat(passwords)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", passwords, info.Mode())
		}
		send(t, s.lmtpSession(t), sender("plain"), []account{alice, bob}, []byte("Subject: hello\r\n\r\nHello.\r\n"))
		for _, a := range []account{alice, bob} {
			c := s.login(t, a)
			c.Do("DELE 1", "+OK")
			c.Do("QUIT", "+OK")
		}
		conn, err := tls.Dial("tcp", s.pop3s, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		for _, want := range []string{"alice@example.test", s.pop3, passwords} {
			if !strings.Contains(s.proc.out.String(), want) {
				t.Errorf("what the server prints does not tell %q:\n%s", want, s.proc.out.String())
			}
		}
		s.proc.signal(syscall.SIGINT) // Ctrl-C
		if code := s.proc.wait(t, stopLimit); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}
