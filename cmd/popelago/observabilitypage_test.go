package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/app"
	"popelago/config"
	"popelago/mailtest"
)

const observabilityPage = "../../docs/observability.md"

// observed are the settings of the server of docs/observability.md. Mail that waits for a second is mail that
// nobody fetches.
const observed = `
lmtp.listen = "127.0.0.1:0"
metrics.listen = "127.0.0.1:0"
drain_delay = "0s"
delivery.postmaster = "alice@example.org"
tasks.reap_every = "0s"
tasks.alarms_every = "0s"
tasks.alarm_unfetched = "1s"
auth.argon2_memory = "64KiB"
auth.argon2_time = 1
trace.enabled = true
audit.enabled = true
`

// fault makes a fault of docs/observability.md.
type fault struct {
	settings string             // further settings of the server
	before   func(s *pageFault) // runs before a start with the settings; nil: nothing
	begin    func(s *pageFault) // nil: nothing
	end      func(s *pageFault) // nil: nothing. Runs after the commands of the section
}

// elsewhere is a fault that a test of another package makes.
var elsewhere = fault{settings: "elsewhere"}

// faults are the faults of the sections of docs/observability.md. A section without a fault has commands that
// make what they show.
var faults = map[string]fault{
	"A server does not answer":              {begin: (*pageFault).stop, end: (*pageFault).restart},
	"A server is not ready":                 {begin: (*pageFault).drained},
	"Mail is refused":                       {begin: (*pageFault).refused},
	"Messages arrive twice":                 {begin: (*pageFault).twice},
	"Users cannot sign in":                  {begin: (*pageFault).locked},
	"Everything is slow":                    {begin: (*pageFault).slow, end: (*pageFault).wasSlow},
	"The disk fills":                        {settings: `store.reserve = "1TiB"` + "\n", begin: (*pageFault).full},
	"The clock is wrong":                    {begin: (*pageFault).dayBehind, end: (*pageFault).rightClock},
	"Background work stands still":          {begin: (*pageFault).dayBehind, end: (*pageFault).rightClock},
	"The certificate ends":                  {settings: "tls.certificate = \"cert.pem\"\ntls.key = \"key.pem\"\n", before: (*pageFault).oldCertificate},
	"A maildrop is full":                    {begin: (*pageFault).overQuota},
	"Nobody fetches the mail of a maildrop": {begin: (*pageFault).unfetched},
	"Stored data is damaged":                {begin: (*pageFault).damaged},
	"Where is that message?":                {},
	"Who removed it?":                       {},
	"Who was it?":                           {},
	"Nodes or a datacenter are down":        elsewhere, // TestTwoDatacenters in integration/nodes
	"Mail for an account that has ended":    elsewhere, // TestLateMail in integration
}

// TestObservabilityPage makes the faults of docs/observability.md at a server on the embedded store, and runs
// the commands of each section.
func TestObservabilityPage(t *testing.T) {
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("curl is missing; on Debian: apt-get install curl")
	}
	steps := mailtest.ConsoleSteps(t, observabilityPage)
	s := &pageFault{pageServer: newPageServer(t)}
	s.start(observed)
	for len(steps) > 0 {
		section := steps[0].Section
		n := 1
		for n < len(steps) && steps[n].Section == section {
			n++
		}
		commands := steps[:n]
		steps = steps[n:]
		f, ok := faults[section]
		if !ok {
			t.Errorf("no fault is known for the section %q", section)
			continue
		}
		if f.settings == elsewhere.settings {
			continue
		}
		if !t.Run(section, func(t *testing.T) { s.try(t, f, commands) }) {
			return
		}
	}
}

// TestObservabilityQuestions checks that each question of the table has a section with commands.
func TestObservabilityQuestions(t *testing.T) {
	text, err := os.ReadFile(observabilityPage)
	if err != nil {
		t.Fatal(err)
	}
	tried := map[string]bool{}
	for _, step := range mailtest.ConsoleSteps(t, observabilityPage) {
		tried[strings.ToLower(strings.NewReplacer(" ", "-", "?", "").Replace(step.Section))] = true
	}
	questions := regexp.MustCompile(`(?m)^\| (\d+) \| \[[^\]]+\]\(#([a-z-]+)\) \| `).FindAllStringSubmatch(string(text), -1)
	if len(questions) != len(faults) {
		t.Errorf("%d questions, and %d sections with faults", len(questions), len(faults))
	}
	for i, q := range questions {
		if q[1] != fmt.Sprint(i+1) || !tried[q[2]] {
			t.Errorf("question %s: the section %s has no commands, or the number is not %d", q[1], q[2], i+1)
		}
	}
}

// pageFault is the server of docs/observability.md with a fault.
type pageFault struct {
	*pageServer
	clock *app.App // a server with another clock, within this process
	pop3  string   // the address that stands for mx.example.org:110; empty: the server's
	probe string   // the output of the probe
}

// try makes a fault and runs commands.
func (s *pageFault) try(t *testing.T, f fault, steps []mailtest.ConsoleStep) {
	before := s.t
	s.t = t
	defer func() { s.t = before }()
	if f.settings != "" {
		if f.before != nil {
			f.before(s)
		}
		s.stop()
		s.start(observed + f.settings)
		defer s.restart()
	}
	if f.begin != nil {
		f.begin(s)
	}
	for i := range steps {
		for name, address := range map[string]func() string{
			"mx.example.org:24":   func() string { return s.address("lmtp") },
			"mx.example.org:9090": func() string { return s.address("metrics") },
			"mx.example.org:110":  func() string { return s.pop3 },
		} {
			if strings.Contains(steps[i].Command, name) {
				steps[i].Command = strings.ReplaceAll(steps[i].Command, name, address())
			}
		}
	}
	results := trySteps(t, steps)
	s.probe = results[0]
	if f.end != nil {
		f.end(s)
	}
}

// restart starts the server without further settings.
func (s *pageFault) restart() {
	s.t.Helper()
	s.stop()
	s.start(observed)
}

// address is the address of a service of the last run. The server logs its addresses one after the other.
func (s *pageFault) address(service string) (address string) {
	s.t.Helper()
	line := regexp.MustCompile(`service=` + service + ` address=(\S+)\n`)
	mailtest.WaitFor(s.t, 10*time.Minute, func() error {
		m := line.FindStringSubmatch(s.log.String()[s.from:])
		if m == nil {
			return fmt.Errorf("the log names no address of %s", service)
		}
		address = m[1]
		return nil
	})
	return address
}

// run runs a command, which must succeed.
func (s *pageFault) run(command string) string {
	s.t.Helper()
	out, err := exec.Command("bash", "-c", command).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %v\n%s", command, err, out)
	}
	return string(out)
}

// account makes an account.
func (s *pageFault) account(address string) {
	s.t.Helper()
	s.run(`echo "correct horse" | popelago account add ` + address + ` --password-stdin`)
}

// deliver sends a message by LMTP, and wants a reply to DATA or to the text.
func (s *pageFault) deliver(address, text, reply string) {
	s.t.Helper()
	c := mailtest.Dial(s.t, s.address("lmtp"))
	c.Expect("220")
	c.Cmd("LHLO client.example.com")
	for !strings.HasPrefix(c.Expect("250"), "250 ") {
	}
	c.Do("MAIL FROM:<bob@example.com>", "250")
	c.Do("RCPT TO:<"+address+">", "250")
	c.Cmd("DATA")
	got := c.Expect("")
	if strings.HasPrefix(got, "354") {
		c.Send(text + "\r\n.\r\n")
		got = c.Expect("")
	}
	if !strings.HasPrefix(got, reply) {
		s.t.Fatalf("the reply to a message for %s is %q, want %q", address, got, reply)
	}
	c.Do("QUIT", "221")
}

// login begins a POP3 session, and wants a response to the password.
func (s *pageFault) login(address, password, response string) *mailtest.Client {
	s.t.Helper()
	c := mailtest.Dial(s.t, s.address("pop3"))
	c.Expect("+OK")
	c.Do("USER "+address, "+OK")
	c.Do("PASS "+password, response)
	return c
}

func (s *pageFault) drained() { s.run("popelago server drain --wait") }

func (s *pageFault) refused() {
	s.account("carol@example.org")
	s.run("popelago account disable carol@example.org")
	c := mailtest.Dial(s.t, s.address("lmtp"))
	c.Expect("220")
	c.Cmd("LHLO client.example.com")
	for !strings.HasPrefix(c.Expect("250"), "250 ") {
	}
	c.Do("MAIL FROM:<bob@example.com>", "250")
	c.Do("RCPT TO:<zoe@example.org>", "550 5.1.1 no such recipient here")
	c.Do("RCPT TO:<carol@example.org>", "550 5.2.1 mailbox disabled")
	c.Do("QUIT", "221")
}

func (s *pageFault) twice() {
	s.account("dave@example.org")
	for range 2 {
		s.deliver("dave@example.org", "Message-ID: <twice@example.com>\r\n\r\nTwice.", "250")
	}
	for range 2 {
		c := s.login("dave@example.org", "correct horse", "+OK")
		c.Do("RETR 1", "+OK")
		c.ReadMultiline()
		c.Do("QUIT", "+OK")
	}
}

func (s *pageFault) locked() {
	s.login("dave@example.org", "wrong horse", "-ERR [AUTH] login failed")
	s.login("carol@example.org", "correct horse", "-ERR [AUTH] account disabled")
}

// holding is the time that slow holds each answer of POP3.
const holding = 300 * time.Millisecond

// slow puts a proxy in front of POP3 that holds each answer for a while.
func (s *pageFault) slow() {
	s.run(`umask 077; echo "correct horse" > probe.password`)
	target := s.address("pop3")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { l.Close() })
	s.pop3 = l.Addr().String()
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go hold(client, target)
		}
	}()
}

// hold copies a session, and holds its first answer for a while.
func hold(client net.Conn, target string) {
	defer client.Close()
	server, err := net.Dial("tcp", target)
	if err != nil {
		return
	}
	defer server.Close()
	go io.Copy(server, client)
	<-time.After(holding)
	io.Copy(client, server)
}

// wasSlow checks that the probe shows where the time was spent.
func (s *pageFault) wasSlow() {
	took := func(step string) time.Duration {
		m := regexp.MustCompile(`(?m)^` + step + ` .* (\S+) +ok$`).FindStringSubmatch(s.probe)
		if m == nil {
			s.t.Fatalf("the probe has no step %s:\n%s", step, s.probe)
		}
		d, err := time.ParseDuration(m[1])
		if err != nil {
			s.t.Fatal(err)
		}
		return d
	}
	if took("sign in") < holding {
		s.t.Errorf("POP3 was held for %v; the probe shows\n%s", holding, s.probe)
	}
}

// full delivers to a server that keeps more of the disk free than there is.
func (s *pageFault) full() {
	var fs syscall.Statfs_t
	if err := syscall.Statfs(".", &fs); err != nil || int64(fs.Bavail)*fs.Bsize > 1<<40 {
		s.t.Skipf("the disk is too large for a reserve of 1TiB (%v)", err)
	}
	s.deliver("dave@example.org", "Subject: full\r\n\r\n", "452 4.3.1 no space left")
}

// dayBehind replaces the server by a server whose clock is a day behind.
func (s *pageFault) dayBehind() {
	s.stop()
	s.from = len(s.log.String())
	cfg, err := config.Load(pageConfig, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	behind := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	s.clock, err = app.New(s.t.Context(), cfg, slog.New(slog.NewTextHandler(&s.log, nil)), app.WithNow(behind))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := s.clock.Start(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
	s.deliver("dave@example.org", "Subject: in the past\r\n\r\n", "451 4.3.0")
}

// rightClock puts a server with a right clock in the place of the other.
func (s *pageFault) rightClock() {
	if err := s.clock.Stop(context.Background()); err != nil {
		s.t.Error(err)
	}
	s.start(observed)
}

// oldCertificate makes a certificate that soon ends, for another name.
func (s *pageFault) oldCertificate() {
	cert := mailtest.CertificateTemplate(s.t, "old.example.org", 5*24*time.Hour)
	cert.DNSNames = []string{"old.example.org"}
	key := mailtest.NewKey(s.t)
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		s.t.Fatal(err)
	}
	mailtest.WriteCertificate(s.t, "cert.pem", der)
	mailtest.WriteKey(s.t, "key.pem", key)
}

func (s *pageFault) overQuota() {
	s.account("erin@example.org")
	s.run("popelago account set erin@example.org quota=1KiB")
	s.deliver("erin@example.org", strings.Repeat("x", 500), "250")
	s.deliver("erin@example.org", strings.Repeat("x", 900), "452 4.2.2 mailbox full, try again later")
	s.run(`printf '%1000s\n' x > lunch.eml`)
}

// unfetched judges the maildrops until the message of overQuota has waited long enough.
func (s *pageFault) unfetched() {
	mailtest.WaitFor(s.t, 10*time.Minute, func() error {
		s.run("popelago task run alarms")
		if out := s.run("popelago alarm list"); !strings.Contains(out, "erin@example.org") {
			return fmt.Errorf("the alarms are\n%s", out)
		}
		return nil
	})
	s.run("popelago maildrop remove dave@example.org --all")
	s.run("popelago task run alarms")
}

// damaged changes an octet of a large message on the disk.
func (s *pageFault) damaged() {
	s.deliver("dave@example.org", strings.Repeat(strings.Repeat("x", 70)+"\r\n", 10_000), "250")
	files, err := filepath.Glob("popelago-data/content/*/*.msg")
	if err != nil || len(files) != 1 {
		s.t.Fatalf("the messages in files are %q, %v", files, err)
	}
	octets, err := os.ReadFile(files[0])
	if err != nil {
		s.t.Fatal(err)
	}
	at := bytes.IndexByte(octets[len(octets)/2:], 'x') + len(octets)/2
	octets[at] = 'y'
	if err := os.WriteFile(files[0], octets, 0o600); err != nil {
		s.t.Fatal(err)
	}
	s.t.Setenv("UNIQUE_ID", strings.TrimSpace(s.run(`popelago maildrop list dave@example.org | awk 'NR == 2 { print $2 }'`)))
}
