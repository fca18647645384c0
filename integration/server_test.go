package integration

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mailtest"
)

// domain is hosted by every server of these tests.
const domain = "example.test"

// startLimit is how long a server may take to listen, on a busy machine.
const startLimit = time.Minute

// stopLimit is how long a server may take to stop when nothing keeps it.
const stopLimit = 40 * time.Second

// server is one running popelago with a data folder.
type server struct {
	dir  string // holds the data folder, the configuration and the certificate
	data string
	ca   *authority
	conf string // the configuration file
	proc *process

	// Where it listens: host:port.
	pop3, pop3s, smtp, lmtp string
}

// setup is what a test may want to be different.
type setup struct {
	data     string   // data folder; default a new one
	settings []string // further lines of the configuration file
	// fixedPorts keeps the addresses over restarts.
	fixedPorts bool
	// cassandra says that settings choose that engine, which is slower: less mail will do.
	cassandra bool
}

// newServer prepares a server without starting it.
func newServer(t testing.TB, s setup) *server {
	t.Helper()
	srv := &server{dir: publicDir(t), data: s.data, ca: newAuthority(t)}
	if srv.data == "" {
		srv.data = filepath.Join(srv.dir, "data")
	}
	srv.ca.issue(t, srv.certFile(), srv.keyFile(), "first")
	srv.conf = filepath.Join(srv.dir, "popelago.toml")
	writeFile(t, srv.conf, configuration(t, srv, s))
	return srv
}

// configuration is the text of the configuration file, with dotted keys throughout.
func configuration(t testing.TB, srv *server, s setup) string {
	text := lines(
		`hostname = "localhost"`,
		fmt.Sprintf("data_dir = %q", srv.data),
		fmt.Sprintf("tls.certificate = %q", srv.certFile()),
		fmt.Sprintf("tls.key = %q", srv.keyFile()),
		`auth.argon2_memory = "1MiB"`, // the tests make many accounts
	)
	for _, protocol := range []string{"pop3", "pop3s", "smtp", "lmtp"} {
		address := "127.0.0.1:0"
		if s.fixedPorts {
			address = freeAddress(t)
		}
		text += lines(fmt.Sprintf("%s.listen = %q", protocol, address))
	}
	return text + lines(s.settings...)
}

func (s *server) certFile() string { return filepath.Join(s.dir, "cert.pem") }
func (s *server) keyFile() string  { return filepath.Join(s.dir, "key.pem") }

// startServer starts a server that hosts domain and stops it when the test ends.
func startServer(t testing.TB, s setup) *server {
	t.Helper()
	srv := newServer(t, s)
	srv.start(t)
	admin := srv.admin()
	defer admin.Close()
	if _, err := admin.AddDomain(deadline(t, startLimit), domain); err != nil {
		t.Fatal(err)
	}
	return srv
}

var listening = regexp.MustCompile(`msg=listening service=(\S+) address=(\S+)`)

// start runs the binary and waits until it listens.
func (s *server) start(t testing.TB) {
	t.Helper()
	if err := s.tryStart(t); err != nil {
		t.Fatal(err)
	}
}

func (s *server) tryStart(t testing.TB) error {
	t.Helper()
	cmd := exec.Command(binary(t), "serve", "--config", s.conf)
	cmd.Env = append(cleanEnv(s.dir), "GORACE=halt_on_error=1")
	s.proc = startProcess(t, cmd)
	proc := s.proc
	t.Cleanup(func() {
		log := proc.out.String()
		if strings.Contains(log, "DATA RACE") {
			t.Error("the server has a data race")
		}
		if strings.Contains(log, "panic") {
			t.Error("the server panicked")
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", tail(log, 8000))
		}
	})
	end := time.Now().Add(startLimit)
	for {
		found := map[string]string{}
		for _, m := range listening.FindAllStringSubmatch(proc.out.String(), -1) {
			found[m[1]] = m[2]
		}
		s.pop3, s.pop3s, s.smtp, s.lmtp = found["pop3"], found["pop3s"], found["smtp"], found["lmtp"]
		if s.pop3 != "" && s.pop3s != "" && s.smtp != "" && s.lmtp != "" && strings.Contains(proc.out.String(), "service=admin-socket") {
			return nil
		}
		if !proc.running() {
			return fmt.Errorf("the server ended with exit code %d:\n%s", exitCode(proc.err), proc.out.String())
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server does not listen after %v:\n%s", startLimit, proc.out.String())
		}
		time.Sleep(2 * time.Millisecond)
	}
}

// stop ends the server as an operator does, and expects it to end well.
func (s *server) stop(t testing.TB) {
	t.Helper()
	s.proc.signal(syscall.SIGTERM)
	if code := s.proc.wait(t, stopLimit); code != 0 {
		t.Errorf("the server stopped with exit code %d", code)
	}
}

// admin is a client of the administration API.
func (s *server) admin() *adminclient.Client {
	return adminclient.Unix(filepath.Join(s.data, "admin.sock"))
}

// account is a user of the server.
type account struct {
	address, password string
}

// account makes an account.
func (s *server) account(t testing.TB, name string) account {
	t.Helper()
	a := account{address: name + "@" + domain, password: "secret of " + name}
	admin := s.admin()
	defer admin.Close()
	if _, err := admin.AddAccount(deadline(t, startLimit), a.address, a.password); err != nil {
		t.Fatal(err)
	}
	return a
}

// signIn opens a POP3 session up to the response to PASS, whatever that is.
func (s *server) signIn(t testing.TB, a account) (c *mailtest.Client, reply string) {
	t.Helper()
	c = mailtest.Dial(t, s.pop3)
	c.Timeout = time.Minute
	c.Expect("+OK")
	c.Do("USER "+a.address, "+OK")
	return c, c.Do("PASS "+a.password, "")
}

// login opens a POP3 session.
func (s *server) login(t testing.TB, a account) *mailtest.Client {
	t.Helper()
	c, reply := s.signIn(t, a)
	if !strings.HasPrefix(reply, "+OK") {
		t.Fatalf("login of %s: %q, want +OK", a.address, reply)
	}
	return c
}

// lmtpSession opens an LMTP session.
func (s *server) lmtpSession(t testing.TB) *mailtest.Client {
	t.Helper()
	c := mailtest.Dial(t, s.lmtp)
	c.Timeout = time.Minute
	c.Expect("220 ")
	c.Cmd("LHLO tests.example")
	endReply(c)
	return c
}

// endReply reads a reply of several lines to its end.
func endReply(c *mailtest.Client) string {
	for {
		if line := c.Line(); len(line) < 4 || line[3] != '-' {
			return line
		}
	}
}

// send delivers a message in an open LMTP session, and expects every recipient to be served.
func send(t testing.TB, c *mailtest.Client, from string, to []account, octets []byte) {
	t.Helper()
	startTransaction(c, from, to)
	c.Cmd("DATA")
	c.Expect("250")
	for range to {
		c.Expect("250")
	}
	c.Expect("354")
	c.Send(stuff(octets) + ".\r\n")
	for range to {
		c.Expect("250")
	}
}

// sendBDAT is send with CHUNKING, for content that does not end in CRLF.
func sendBDAT(t testing.TB, c *mailtest.Client, from string, to []account, octets []byte) {
	t.Helper()
	startTransaction(c, from, to)
	c.Cmdf("BDAT %d LAST", len(octets))
	c.Send(string(octets))
	c.Expect("250")
	for range to {
		c.Expect("250")
	}
	for range to {
		c.Expect("250")
	}
}

func startTransaction(c *mailtest.Client, from string, to []account) {
	c.Cmdf("MAIL FROM:<%s>", from)
	for _, a := range to {
		c.Cmdf("RCPT TO:<%s>", a.address)
	}
}

// stuff doubles the dots at the beginning of lines.
func stuff(octets []byte) string {
	s := strings.ReplaceAll(string(octets), "\r\n.", "\r\n..")
	if strings.HasPrefix(s, ".") {
		s = "." + s
	}
	return s
}

// stored is one message as a maildrop shows it.
type stored struct {
	uidl   string
	octets []byte
}

// maildrop reads all of a maildrop and leaves it there. It checks that the sizes of LIST are
// those of the octets.
func (s *server) maildrop(t testing.TB, a account) []stored {
	t.Helper()
	c := s.login(t, a)
	defer c.Close()
	var all []stored
	uidls := listing(t, c, "UIDL")
	sizes := listing(t, c, "LIST")
	for i := range uidls {
		c.Do(fmt.Sprintf("RETR %d", i+1), "+OK")
		octets := c.ReadMultiline()
		if fmt.Sprint(len(octets)) != sizes[i] {
			t.Errorf("message %d of %s has %d octets, LIST says %s", i+1, a.address, len(octets), sizes[i])
		}
		all = append(all, stored{uidl: uidls[i], octets: octets})
	}
	c.Do("QUIT", "+OK")
	return all
}

// listing is what UIDL or LIST says for each message.
func listing(t testing.TB, c *mailtest.Client, command string) []string {
	t.Helper()
	c.Do(command, "+OK")
	var values []string
	for line := range strings.Lines(string(c.ReadMultiline())) {
		number, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if !ok || number != fmt.Sprint(len(values)+1) {
			t.Fatalf("%s: line %q in place %d", command, line, len(values)+1)
		}
		values = append(values, value)
	}
	return values
}

// count is the number of messages in a maildrop, by STAT.
func (s *server) count(t testing.TB, a account) int {
	t.Helper()
	c := s.login(t, a)
	defer c.Close()
	var n, size int
	if _, err := fmt.Sscanf(c.Do("STAT", "+OK "), "+OK %d %d", &n, &size); err != nil {
		t.Fatal(err)
	}
	c.Do("QUIT", "+OK")
	return n
}

// awkward is a message of the corpus and what it became in the maildrop.
type awkward struct {
	mailtest.Message
	octets []byte // as RETR sends it, trace header and all
}

// sender is the reverse-path that marks a message of the corpus: it comes back in the
// Return-Path line.
func sender(name string) string { return "corpus-" + name + "@sender.example" }

var senderMark = regexp.MustCompile(`corpus-([A-Za-z0-9-]+)@sender\.example`)

// deliverCorpus brings in the corpus, each message to those accounts that want it.
func (s *server) deliverCorpus(t testing.TB, to map[account]func(mailtest.Message) bool) {
	t.Helper()
	c := s.lmtpSession(t)
	defer c.Close()
	for _, m := range mailtest.Corpus() {
		var accounts []account
		for a, wants := range to {
			if wants(m) {
				accounts = append(accounts, a)
			}
		}
		switch {
		case len(accounts) == 0:
		case m.NoFinalCRLF:
			sendBDAT(t, c, sender(m.Name), accounts, bytes.TrimSuffix(m.Octets(), []byte("\r\n")))
		default:
			send(t, c, sender(m.Name), accounts, m.Octets())
		}
	}
	c.Do("QUIT", "221")
}

// corpusOf reads a maildrop that got the corpus, by name, and checks that every message is
// our trace header followed by exactly what was accepted.
func (s *server) corpusOf(t testing.TB, a account) map[string]awkward {
	t.Helper()
	sent := map[string]mailtest.Message{}
	for _, m := range mailtest.Corpus() {
		sent[m.Name] = m
	}
	got := map[string]awkward{}
	for _, m := range s.maildrop(t, a) {
		name := mark(m.octets)
		content, ok := sent[name]
		want := "Return-Path: <" + sender(name) + ">\r\nDelivered-To: " + a.address + "\r\nReceived: from "
		switch {
		case !ok:
			t.Errorf("a message that nobody sent: %.200q", m.octets)
		case !bytes.HasPrefix(m.octets, []byte(want)):
			t.Errorf("%s begins %.200q, want %q", name, m.octets, want)
		case !bytes.HasSuffix(m.octets, content.Octets()):
			t.Errorf("%s does not end in what was sent", name)
		}
		got[name] = awkward{content, m.octets}
	}
	return got
}

// mark finds the name of a message of the corpus.
func mark(octets []byte) string {
	if m := senderMark.FindSubmatch(octets); m != nil {
		return string(m[1])
	}
	return ""
}

// deadline is a context for calls that the test must survive.
func deadline(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

func exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
