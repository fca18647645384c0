package smtpserver_test

import (
	"net"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/emersion/go-smtp"

	"popelago/mailtest"
	"popelago/smtpserver"
	"popelago/smtpserver/smtptest"
)

func TestGoSMTPClient(t *testing.T) {
	cert := mailtest.Certificate(t)
	for _, test := range []struct {
		name     string
		protocol smtpserver.Protocol
		tls      bool
	}{{"smtp", smtpserver.SMTP, false}, {"starttls", smtpserver.SMTP, true}, {"lmtp", smtpserver.LMTP, false}} {
		t.Run(test.name, func(t *testing.T) {
			r := newRig(t, test.protocol, func(s *smtptest.Settings) { s.Server.TLS = cert.Server })
			addr := r.Listen(t)
			var c *smtp.Client
			var err error
			switch {
			case test.tls:
				c, err = smtp.DialStartTLS(addr, cert.Client)
			case test.protocol == smtpserver.LMTP:
				var conn net.Conn
				if conn, err = net.Dial("tcp", addr); err == nil {
					c = smtp.NewClientLMTP(conn)
				}
			default:
				c, err = smtp.Dial(addr)
			}
			if err != nil {
				t.Fatal(err)
			}
			defer c.Close()
			var want []string
			for _, m := range mailtest.Corpus() {
				octets := string(m.Octets())
				if m.Large || octets == "" {
					continue // the client sends an empty message as an empty line
				}
				want = append(want, m.Gap+octets)
				if err := c.Mail("sender@example.org", nil); err != nil {
					t.Fatal(err)
				}
				for _, rcpt := range []string{"alice@example.test", "bob@example.test"} {
					if err := c.Rcpt(rcpt, nil); err != nil {
						t.Fatal(err)
					}
				}
				w, err := c.Data()
				if err != nil {
					t.Fatal(err)
				}
				if _, err := w.Write([]byte(octets)); err != nil {
					t.Fatal(err)
				}
				if err := w.Close(); err != nil {
					t.Fatalf("%s: %v", m.Name, err)
				}
			}
			if err := c.Quit(); err != nil {
				t.Fatal(err)
			}
			for _, local := range []string{"alice", "bob"} {
				got := r.Inbox(t, local)
				if len(got) != len(want) {
					t.Fatalf("%s has %d messages, want %d", local, len(got), len(want))
				}
				for i := range want {
					if smtptest.Text(t, got[i]) != want[i] {
						t.Errorf("%s has %.300q, want %.300q", local, smtptest.Text(t, got[i]), want[i])
					}
				}
			}
		})
	}
}

// smtplib sends CRLF for the line ends of a str, and bytes as they are.
const smtplibScript = `
import smtplib, ssl, sys
host, port, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
s = (smtplib.LMTP if kind == "lmtp" else smtplib.SMTP)(host, port)
if kind == "starttls":
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    s.starttls(context=context)
# Its LMTP reads one reply only: no two good recipients.
to = ["alice@example.test", "nobody@example.test"] + (["bob@example.test"] if kind != "lmtp" else [])
refused = s.sendmail("sender@example.org", to,
    b"Subject: \xff\r\n\r\n.dot\r\n..\r\n.\r\nend")
assert list(refused) == ["nobody@example.test"] and refused["nobody@example.test"][0] == 550, refused
s.sendmail("sender@example.org", "alice@example.test", "Subject: str\n\n.dot\n")
try:
    s.sendmail("sender@example.org", "alice@example.test", b"Subject: bare LF\n\n")
    assert False
except smtplib.SMTPDataError as e:
    assert e.smtp_code == 550, e
assert s.vrfy("alice")[0] == 252
assert s.noop()[0] == 250
try:
    s.sendmail("sender@example.org", ["x@elsewhere.example"], b"x")
    assert False
except smtplib.SMTPRecipientsRefused as e:
    assert e.recipients["x@elsewhere.example"][0] == 550, e.recipients
assert s.quit()[0] == 221
`

func TestPythonSmtplib(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is missing: install the Debian package python3")
	}
	cert := mailtest.Certificate(t)
	for _, kind := range []string{"smtp", "starttls", "lmtp"} {
		t.Run(kind, func(t *testing.T) {
			protocol := smtpserver.SMTP
			if kind == "lmtp" {
				protocol = smtpserver.LMTP
			}
			r := newRig(t, protocol, func(s *smtptest.Settings) { s.Server.TLS = cert.Server })
			host, port, err := net.SplitHostPort(r.Listen(t))
			if err != nil {
				t.Fatal(err)
			}
			if out, err := exec.Command(python, "-c", smtplibScript, host, port, kind).CombinedOutput(); err != nil {
				if strings.Contains(string(out), "ModuleNotFoundError") {
					t.Skipf("Python lacks modules: %s", out)
				}
				t.Fatalf("%v\n%s", err, out)
			}
			const first, second = "Subject: \xff\r\n\r\n.dot\r\n..\r\n.\r\nend\r\n", "Subject: str\r\n\r\n.dot\r\n"
			for local, want := range map[string][]string{"alice": {first, second}, "bob": {first}} {
				if local == "bob" && kind == "lmtp" {
					continue
				}
				got := r.Inbox(t, local)
				for i := range got {
					got[i] = smtptest.Text(t, got[i])
				}
				if !slices.Equal(got, want) {
					t.Errorf("%s has %q, want %q", local, got, want)
				}
			}
		})
	}
}
