package servertest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/mailtest"
)

// Domain is hosted by every server of these tests.
const Domain = "example.test"

// StartLimit bounds the start of a server on a busy machine.
const StartLimit = 5 * time.Minute

// StopLimit bounds the stop of an idle server.
const StopLimit = 5 * time.Minute

// Server is one running popelago with a data folder.
type Server struct {
	dir  string // holds the data folder, the configuration and the certificate
	Data string
	CA   *authority
	Conf string // the configuration file
	Proc *Process

	// Addresses of the listeners: host:port.
	POP3, POP3S, SMTP, LMTP string
}

// Setup holds the choices of a test.
type Setup struct {
	Data     string   // data folder; default: a new folder
	Settings []string // further lines of the configuration file
	// FixedPorts keeps the addresses over restarts.
	FixedPorts bool
	// Cassandra says that the settings select the slower engine, so that less mail is enough.
	Cassandra bool
}

// NewServer prepares a server without starting it.
func NewServer(t testing.TB, s Setup) *Server {
	t.Helper()
	srv := &Server{dir: PublicDir(t), Data: s.Data, CA: newAuthority(t)}
	if srv.Data == "" {
		srv.Data = filepath.Join(srv.dir, "data")
	}
	srv.CA.Issue(t, srv.CertFile(), srv.KeyFile(), "first")
	srv.Conf = filepath.Join(srv.dir, "popelago.toml")
	WriteFile(t, srv.Conf, configuration(t, srv, s))
	return srv
}

// configuration is the text of the configuration file, with dotted keys throughout.
func configuration(t testing.TB, srv *Server, s Setup) string {
	text := Lines(
		`hostname = "localhost"`,
		fmt.Sprintf("data_dir = %q", srv.Data),
		fmt.Sprintf("tls.certificate = %q", srv.CertFile()),
		fmt.Sprintf("tls.key = %q", srv.KeyFile()),
		`auth.argon2_memory = "1MiB"`, // the tests make many accounts
	)
	for _, protocol := range []string{"pop3", "pop3s", "smtp", "lmtp"} {
		address := "127.0.0.1:0"
		if s.FixedPorts {
			address = FreeAddress(t)
		}
		text += Lines(fmt.Sprintf("%s.listen = %q", protocol, address))
	}
	return text + Lines(s.Settings...)
}

// CertFile is the file of the certificate.
func (s *Server) CertFile() string { return filepath.Join(s.dir, "cert.pem") }

// KeyFile is the file of the key.
func (s *Server) KeyFile() string { return filepath.Join(s.dir, "key.pem") }

// StartServer starts a server that hosts Domain, and stops the server at the end of the test.
func StartServer(t testing.TB, s Setup) *Server {
	t.Helper()
	srv := NewServer(t, s)
	srv.Start(t)
	admin := srv.Admin()
	defer admin.Close()
	if _, err := admin.AddDomain(Deadline(t, StartLimit), Domain); err != nil {
		t.Fatal(err)
	}
	return srv
}

var listening = regexp.MustCompile(`msg=listening service=(\S+) address=(\S+)`)

// Start runs the binary and waits until the server listens.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if err := s.tryStart(t); err != nil {
		t.Fatal(err)
	}
}

func (s *Server) tryStart(t testing.TB) error {
	t.Helper()
	cmd := exec.Command(Binary(t), "serve", "--config", s.Conf)
	cmd.Env = append(CleanEnv(s.dir), raceOptions+" halt_on_error=1")
	s.Proc = StartProcess(t, cmd)
	proc := s.Proc
	t.Cleanup(func() {
		log := proc.Out.String()
		if strings.Contains(log, "DATA RACE") {
			t.Error("the server has a data race")
		}
		if strings.Contains(log, "panic") {
			t.Error("the server panicked")
		}
		if t.Failed() {
			t.Logf("the server said:\n%s", Tail(log, 8000))
		}
	})
	end := time.Now().Add(StartLimit)
	for {
		found := map[string]string{}
		for _, m := range listening.FindAllStringSubmatch(proc.Out.String(), -1) {
			found[m[1]] = m[2]
		}
		s.POP3, s.POP3S, s.SMTP, s.LMTP = found["pop3"], found["pop3s"], found["smtp"], found["lmtp"]
		if s.POP3 != "" && s.POP3S != "" && s.SMTP != "" && s.LMTP != "" && strings.Contains(proc.Out.String(), "service=admin-socket") {
			return nil
		}
		if !proc.Running() {
			return fmt.Errorf("the server ended with exit code %d:\n%s", exitCode(proc.err), proc.Out.String())
		}
		if time.Now().After(end) {
			return fmt.Errorf("the server does not listen after %v:\n%s", StartLimit, proc.Out.String())
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Stop ends the server as an operator does, and expects exit code 0.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	s.Proc.Signal(syscall.SIGTERM)
	if code := s.Proc.Wait(t, StopLimit); code != 0 {
		t.Errorf("the server stopped with exit code %d", code)
	}
}

// Admin is a client of the administration API.
func (s *Server) Admin() *adminclient.Client {
	return adminclient.Unix(filepath.Join(s.Data, "admin.sock"))
}

// API waits for the listener of the administration API for other machines, and returns its address. The
// settings need admin.listen.
func (s *Server) API(t testing.TB) string {
	t.Helper()
	return s.listener(t, "admin")
}

// UserPages waits for the listener of the pages for users, and returns its address. The settings need
// userpage.listen.
func (s *Server) UserPages(t testing.TB) string {
	t.Helper()
	return s.listener(t, "userpage")
}

// Metric reads a series of the server's metrics, as the text format has it: name{label="value"}. A series that the server
// lacks is 0. The settings need metrics.listen.
func (s *Server) Metric(t testing.TB, series string) float64 {
	t.Helper()
	value, err := ReadMetric(s.listener(t, "metrics"), series)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

// ReadMetric is Server.Metric for a server that listens for readers of its metrics at address.
func ReadMetric(address, series string) (float64, error) {
	client := http.Client{Timeout: StartLimit}
	reply, err := client.Get("http://" + address + "/metrics")
	if err != nil {
		return 0, err
	}
	defer reply.Body.Close()
	text, err := io.ReadAll(reply.Body)
	if err != nil {
		return 0, err
	}
	if reply.StatusCode != http.StatusOK {
		return 0, errors.New(reply.Status)
	}
	for line := range strings.Lines(string(text)) {
		if value, found := strings.CutPrefix(line, series+" "); found {
			return strconv.ParseFloat(strings.TrimSpace(value), 64)
		}
	}
	return 0, nil
}

// listener waits for the listener of a service, and returns its address.
func (s *Server) listener(t testing.TB, service string) (address string) {
	t.Helper()
	mailtest.WaitFor(t, StartLimit, func() error {
		for _, m := range listening.FindAllStringSubmatch(s.Proc.Out.String(), -1) {
			if m[1] == service {
				address = m[2]
			}
		}
		if address == "" {
			return fmt.Errorf("the server does not listen for the service %s", service)
		}
		return nil
	})
	return address
}

// Account is a user of the server.
type Account struct {
	Address, Password string
}

// Account makes an account.
func (s *Server) Account(t testing.TB, name string) Account {
	t.Helper()
	a := Account{Address: name + "@" + Domain, Password: "secret of " + name}
	admin := s.Admin()
	defer admin.Close()
	if _, err := admin.AddAccount(Deadline(t, StartLimit), a.Address, a.Password); err != nil {
		t.Fatal(err)
	}
	return a
}

// SignIn opens a POP3 session up to the response to PASS, whatever the response.
func (s *Server) SignIn(t testing.TB, a Account) (c *mailtest.Client, reply string) {
	t.Helper()
	c = mailtest.Dial(t, s.POP3)
	c.Timeout = StartLimit
	c.Expect("+OK")
	c.Do("USER "+a.Address, "+OK")
	return c, c.Do("PASS "+a.Password, "")
}

// Login opens a POP3 session.
func (s *Server) Login(t testing.TB, a Account) *mailtest.Client {
	t.Helper()
	c, reply := s.SignIn(t, a)
	if !strings.HasPrefix(reply, "+OK") {
		t.Fatalf("login of %s: %q, want +OK", a.Address, reply)
	}
	return c
}

// LMTPSession opens an LMTP session.
func (s *Server) LMTPSession(t testing.TB) *mailtest.Client {
	t.Helper()
	c := mailtest.Dial(t, s.LMTP)
	c.Timeout = StartLimit
	c.Expect("220 ")
	c.Cmd("LHLO tests.example")
	EndReply(c)
	return c
}

// EndReply reads a reply of several lines to its end.
func EndReply(c *mailtest.Client) string {
	for {
		if line := c.Line(); len(line) < 4 || line[3] != '-' {
			return line
		}
	}
}

// Deadline returns a context for calls that must end before the test does.
func Deadline(t testing.TB, limit time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	t.Cleanup(cancel)
	return ctx
}

// Exists reports whether the file exists.
func Exists(name string) bool {
	_, err := os.Stat(name)
	return err == nil
}
