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

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// TestStop asks the server to stop during a delivery: the delivery finishes and is acknowledged,
// idle sessions are notified, new clients are refused, and the exit code is 0.
func TestStop(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{FixedPorts: true, Settings: []string{`shutdown_timeout = "10m"`}})
	a := s.Account(t, "alice")
	sending := s.LMTPSession(t)
	servertest.StartTransaction(sending, servertest.Sender("slow"), []servertest.Account{a})
	sending.Cmd("DATA")
	sending.Expect("250")
	sending.Expect("250")
	sending.Expect("354")
	sending.Send("Subject: slow\r\n\r\nfirst half\r\n")
	if err := sending.Sync(); err != nil {
		t.Fatal(err)
	}
	idle := s.Login(t, a)
	unknown := mailtest.Dial(t, s.POP3)
	unknown.Expect("+OK")
	waiting := s.LMTPSession(t)

	s.Proc.Signal(syscall.SIGTERM)
	idle.Expect("-ERR [SYS/TEMP]")
	idle.ExpectEOF()
	unknown.Expect("-ERR [SYS/TEMP]")
	unknown.ExpectEOF()
	waiting.Expect("421 4.3.2")
	waiting.ExpectEOF()
	mailtest.WaitFor(t, servertest.StartLimit, func() error {
		if servertest.Dialable(s.POP3) == nil {
			return errors.New("the server still takes connections")
		}
		return nil
	})
	if !s.Proc.Running() {
		t.Fatal("the server did not wait for the delivery")
	}
	sending.Send("second half\r\n.\r\n")
	sending.Expect("250")
	if code := s.Proc.Wait(t, servertest.StopLimit); code != 0 {
		t.Errorf("exit code %d", code)
	}

	s.Start(t)
	all := s.Maildrop(t, a)
	if len(all) != 1 || !bytes.HasSuffix(all[0].Octets, []byte("\r\n\r\nfirst half\r\nsecond half\r\n")) {
		t.Errorf("after the restart there are %d messages: %q", len(all), all)
	}
	s.Stop(t)
}

// TestStopGivesUp stops a server whose client does not go on: after the configured time the
// session is cut off, and nothing is stored.
func TestStopGivesUp(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{FixedPorts: true, Settings: []string{`shutdown_timeout = "1s"`}})
	a := s.Account(t, "alice")
	c := s.LMTPSession(t)
	servertest.StartTransaction(c, servertest.Sender("stuck"), []servertest.Account{a})
	c.Cmd("DATA")
	c.Expect("250")
	c.Expect("250")
	c.Expect("354")
	c.Send("Subject: stuck\r\n")
	if err := c.Sync(); err != nil {
		t.Fatal(err)
	}
	s.Proc.Signal(syscall.SIGTERM)
	s.Proc.Wait(t, servertest.StopLimit)
	s.Start(t)
	if n := s.Count(t, a); n != 0 {
		t.Errorf("%d messages were stored", n)
	}
}

// TestRestart checks that unique-ids, sizes, octets, order and accounts are the same after stop and
// start.
func TestRestart(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{})
	a := s.Account(t, "alice")
	s.DeliverCorpus(t, map[servertest.Account]func(mailtest.Message) bool{a: func(m mailtest.Message) bool { return !m.Large }})
	before := s.Maildrop(t, a)
	s.Stop(t)
	s.Start(t)
	after := s.Maildrop(t, a)
	if len(before) != len(after) {
		t.Fatalf("%d messages before, %d after", len(before), len(after))
	}
	for i := range before {
		if before[i].UIDL != after[i].UIDL || !bytes.Equal(before[i].Octets, after[i].Octets) {
			t.Errorf("message %d is another one after the restart", i+1)
		}
	}
}

// TestSecondServer starts two servers on one data folder: the second reports the conflict and ends,
// and the first goes on.
func TestSecondServer(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{})
	a := s.Account(t, "alice")
	second := servertest.NewServer(t, servertest.Setup{Data: s.Data})
	code, said := servertest.Program{}.Run(t, servertest.Binary(t), "serve", "--config", second.Conf)
	if code == 0 {
		t.Error("the second server ended with exit code 0")
	}
	if !strings.Contains(said, s.Data) || !strings.Contains(said, "another") {
		t.Errorf("the second server does not say what is wrong: %s", said)
	}
	if strings.Contains(said, "goroutine ") {
		t.Errorf("the second server shows a stack: %s", said)
	}
	if n := s.Count(t, a); n != 0 {
		t.Errorf("%d messages", n)
	}
	c := s.LMTPSession(t)
	servertest.Send(t, c, servertest.Sender("plain"), []servertest.Account{a}, []byte("Subject: x\r\n\r\nx\r\n"))
	if n := s.Count(t, a); n != 1 {
		t.Errorf("%d messages", n)
	}
}

// TestCertificateReload replaces the certificate's files: new connections get the new certificate,
// and a broken file leaves the old one in use.
func TestCertificateReload(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{})
	a := s.Account(t, "alice")
	organization := func() string {
		conn, err := tls.Dial("tcp", s.POP3S, s.CA.Client())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		return conn.ConnectionState().PeerCertificates[0].Subject.Organization[0]
	}
	if got := organization(); got != "first" {
		t.Fatalf("the certificate is of %s", got)
	}
	session := s.Login(t, a)
	s.CA.Issue(t, s.CertFile(), s.KeyFile(), "second")
	mailtest.WaitFor(t, servertest.StartLimit, func() error {
		if got := organization(); got != "second" {
			return fmt.Errorf("the certificate is still of %s", got)
		}
		return nil
	})
	session.Do("NOOP", "+OK")

	c := mailtest.Dial(t, s.SMTP)
	c.Expect("220 ")
	c.Cmd("EHLO tests.example")
	servertest.EndReply(c)
	c.Do("STARTTLS", "220")
	c.StartTLS(s.CA.Client())
	c.Do("NOOP", "250")

	servertest.WriteFile(t, s.CertFile(), "this is no certificate\n")
	mailtest.WaitFor(t, servertest.StartLimit, func() error {
		if got := organization(); got != "second" {
			t.Fatalf("with a broken file the certificate is of %s", got)
		}
		if !strings.Contains(s.Proc.Out.String(), "certificate not reloaded") {
			return errors.New("the broken certificate is not logged")
		}
		return nil
	})
	s.CA.Issue(t, s.CertFile(), s.KeyFile(), "third")
	mailtest.WaitFor(t, servertest.StartLimit, func() error {
		if got := organization(); got != "third" {
			return fmt.Errorf("the certificate is still of %s", got)
		}
		return nil
	})
}

// TestManySessions keeps 500 POP3 sessions open at once, all of them working.
func TestManySessions(t *testing.T) {
	const sessions = 500
	s := servertest.StartServer(t, servertest.Setup{Settings: []string{fmt.Sprintf("pop3.max_sessions_per_account = %d", sessions)}})
	a := s.Account(t, "alice")
	c := s.LMTPSession(t)
	for n := range 10 {
		servertest.Send(t, c, servertest.Sender(servertest.SmallName(n)), []servertest.Account{a}, servertest.SmallMessage(n))
	}
	s.Count(t, a) // the password is known from here on
	all := make([]*mailtest.Client, sessions)
	var wg sync.WaitGroup
	for i := range all {
		wg.Go(func() { all[i] = s.Login(t, a) })
	}
	wg.Wait()
	if t.Failed() {
		t.FailNow()
	}
	t.Logf("%d sessions open: the server has %d KiB resident", sessions, servertest.ResidentKiB(t, s.Proc.Cmd.Process.Pid))
	for i, c := range all {
		wg.Go(func() {
			c.Do("STAT", "+OK 10 ")
			n := i%10 + 1
			c.Do(fmt.Sprintf("RETR %d", n), "+OK")
			if got := c.ReadMultiline(); !bytes.HasSuffix(got, servertest.SmallMessage(n-1)) {
				t.Errorf("session %d got %q", i, got)
			}
			c.Do("QUIT", "+OK")
		})
	}
	wg.Wait()
}

// TestTwoSessions opens one maildrop twice: each session keeps the list of its login, its marks are
// invisible to the other until QUIT, and a message removed by the other session does no harm.
func TestTwoSessions(t *testing.T) {
	s := servertest.StartServer(t, servertest.Setup{})
	a := s.Account(t, "alice")
	in := s.LMTPSession(t)
	for n := range 3 {
		servertest.Send(t, in, servertest.Sender(servertest.SmallName(n)), []servertest.Account{a}, servertest.SmallMessage(n))
	}
	one, two := s.Login(t, a), s.Login(t, a)
	one.Do("DELE 1", "+OK")
	two.Do("LIST 1", "+OK 1 ")
	two.Do("RETR 1", "+OK")
	two.ReadMultiline()
	servertest.Send(t, in, servertest.Sender(servertest.SmallName(3)), []servertest.Account{a}, servertest.SmallMessage(3))
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
	for _, m := range s.Maildrop(t, a) {
		left[servertest.Mark(m.Octets)] = true
	}
	if len(left) != 2 || !left[servertest.SmallName(1)] || !left[servertest.SmallName(3)] {
		t.Errorf("left are %v", left)
	}
}

// TestDeliveryWhileDraining delivers into a maildrop during its removal: every message is fetched
// exactly once.
func TestDeliveryWhileDraining(t *testing.T) {
	const sessions, each = 4, 100
	s := servertest.StartServer(t, servertest.Setup{})
	a := s.Account(t, "alice")
	var wg sync.WaitGroup
	for i := range sessions {
		wg.Go(func() {
			c := s.LMTPSession(t)
			for n := i * each; n < (i+1)*each; n++ {
				servertest.Send(t, c, servertest.Sender(servertest.SmallName(n)), []servertest.Account{a}, servertest.SmallMessage(n))
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
		c := s.Login(t, a)
		list := servertest.Listing(t, c, "UIDL")
		for i, uidl := range list {
			if uidls[uidl] {
				t.Errorf("unique-id %s comes again", uidl)
			}
			uidls[uidl] = true
			c.Do(fmt.Sprintf("RETR %d", i+1), "+OK")
			seen[servertest.Mark(c.ReadMultiline())]++
			c.Do(fmt.Sprintf("DELE %d", i+1), "+OK")
		}
		c.Do("QUIT", "+OK")
		c.Close()
		if last && len(list) == 0 {
			break
		}
	}
	for n := range sessions * each {
		if seen[servertest.SmallName(n)] != 1 {
			t.Errorf("%s was fetched %d times", servertest.SmallName(n), seen[servertest.SmallName(n)])
		}
	}
}

// TestDev runs the README's first command: no configuration, two accounts ready, and a self-signed
// certificate.
func TestDev(t *testing.T) {
	data := filepath.Join(servertest.PublicDir(t), "data")
	addresses := map[string]string{}
	args := []string{"serve", "--dev", "--data", data}
	for _, protocol := range []string{"pop3", "pop3s", "smtp", "lmtp"} {
		addresses[protocol] = servertest.FreeAddress(t)
		args = append(args, "--"+protocol, addresses[protocol])
	}
	s := &servertest.Server{Data: data, POP3: addresses["pop3"], POP3S: addresses["pop3s"], SMTP: addresses["smtp"], LMTP: addresses["lmtp"]}
	for range 2 { // the second start finds everything there
		cmd := servertest.CommandOf(servertest.Binary(t), args...)
		s.Proc = servertest.StartProcess(t, cmd)
		passwords := filepath.Join(data, "dev-passwords.txt")
		mailtest.WaitFor(t, servertest.StartLimit, func() error {
			if !s.Proc.Running() {
				t.Fatalf("the server ended:\n%s", s.Proc.Out.String())
			}
			return errors.Join(servertest.Dialable(s.POP3), servertest.Dialable(s.LMTP), servertest.FileError(passwords))
		})
		found := map[string]servertest.Account{}
		for line := range strings.Lines(servertest.ReadFile(t, passwords)) {
			if f := strings.Fields(line); len(f) == 2 && strings.Contains(f[0], "@") {
				found[f[0]] = servertest.Account{Address: f[0], Password: f[1]}
			}
		}
		alice, bob := found["alice@example.test"], found["bob@example.test"]
		if alice.Password == "" || bob.Password == "" {
			t.Fatalf("accounts in %s: %v", passwords, found)
		}
		info, err := os.Stat(passwords)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v", passwords, info.Mode())
		}
		servertest.Send(t, s.LMTPSession(t), servertest.Sender("plain"), []servertest.Account{alice, bob}, []byte("Subject: hello\r\n\r\nHello.\r\n"))
		for _, a := range []servertest.Account{alice, bob} {
			c := s.Login(t, a)
			c.Do("DELE 1", "+OK")
			c.Do("QUIT", "+OK")
		}
		conn, err := tls.Dial("tcp", s.POP3S, &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatal(err)
		}
		conn.Close()
		for _, want := range []string{"alice@example.test", s.POP3, passwords} {
			if !strings.Contains(s.Proc.Out.String(), want) {
				t.Errorf("what the server prints does not tell %q:\n%s", want, s.Proc.Out.String())
			}
		}
		s.Proc.Signal(syscall.SIGINT) // Ctrl-C
		if code := s.Proc.Wait(t, servertest.StopLimit); code != 0 {
			t.Errorf("exit code %d", code)
		}
	}
}
