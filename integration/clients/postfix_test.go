package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// postfix is a Postfix of the test, apart from the system's: configuration, queue and ports are
// separate. The Postfix delivers all mail to one LMTP server.
type postfix struct {
	dir  string
	smtp string // its own address for mail: host:port
}

func startPostfix(t testing.TB, lmtp string) *postfix {
	t.Helper()
	servertest.NeedProgram(t, "postfix", "postfix")
	servertest.NeedRoot(t)
	p := &postfix{dir: servertest.PublicDir(t), smtp: servertest.FreeAddress(t)}
	conf := filepath.Join(p.dir, "conf")
	for _, name := range []string{"conf", "queue", "data"} {
		if err := os.Mkdir(filepath.Join(p.dir, name), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	servertest.Program{}.Must(t, "chown", "postfix", filepath.Join(p.dir, "data"))
	daemons := strings.TrimSpace(servertest.Program{}.Must(t, "postconf", "-d", "-h", "daemon_directory"))
	if !servertest.Exists(filepath.Join(daemons, "master")) {
		daemons = "/usr/lib/postfix/sbin" // Debian's main.cf has the path, the default differs
	}
	servertest.WriteFile(t, filepath.Join(conf, "main.cf"), servertest.Lines(
		"compatibility_level = 3.6",
		"myhostname = relay.example",
		"mydestination =",
		"inet_interfaces = 127.0.0.1",
		"inet_protocols = ipv4",
		"mynetworks = 127.0.0.0/8",
		"queue_directory = "+filepath.Join(p.dir, "queue"),
		"data_directory = "+filepath.Join(p.dir, "data"),
		"daemon_directory = "+daemons,
		"command_directory = /usr/sbin",
		"maillog_file = "+filepath.Join(p.dir, "log"),
		"maillog_file_prefixes = "+p.dir,
		"relay_domains = "+servertest.Domain+" sender.example",
		"relay_transport = lmtp:inet:"+lmtp,
		"default_transport = lmtp:inet:"+lmtp,
		"alias_maps =",
		"local_recipient_maps =",
		"message_size_limit = 100000000",
		"queue_minfree = 0",
		"lmtp_line_length_limit = 0", // otherwise Postfix folds lines longer than 998 octets
		"smtpd_peername_lookup = no",
		"disable_dns_lookups = yes",
		"smtp_dns_support_level = disabled",
	))
	servertest.WriteFile(t, filepath.Join(conf, "master.cf"), p.smtp+" inet n - n - - smtpd\n"+postfixServices)
	servertest.Program{}.Must(t, "chmod", "644", filepath.Join(conf, "main.cf"), filepath.Join(conf, "master.cf"))
	t.Cleanup(func() {
		code, said := servertest.Program{}.Run(t, "postfix", "-c", conf, "stop")
		if code != 0 {
			t.Errorf("Postfix does not stop: %s", said)
		}
		if t.Failed() {
			if log, err := os.ReadFile(filepath.Join(p.dir, "log")); err == nil {
				t.Logf("Postfix said:\n%s", servertest.Tail(string(log), 4000))
			}
		}
	})
	// Its children keep the output open: not through a pipe.
	servertest.Program{}.Must(t, "bash", "-c", `postfix -c "$1" start >"$1/../start.log" 2>&1 </dev/null || { cat "$1/../start.log"; exit 1; }`, "start", conf)
	return p
}

// postfixServices is the rest of master.cf: service, type, private, unprivileged, chroot,
// wakeup, maxproc, command.
const postfixServices = `
pickup    unix       n  -  n  60   1  pickup
cleanup   unix       n  -  n  -    0  cleanup
qmgr      unix       n  -  n  300  1  qmgr
rewrite   unix       -  -  n  -    -  trivial-rewrite
bounce    unix       -  -  n  -    0  bounce
defer     unix       -  -  n  -    0  bounce
trace     unix       -  -  n  -    0  bounce
verify    unix       -  -  n  -    1  verify
flush     unix       n  -  n  -    0  flush
proxymap  unix       -  -  n  -    -  proxymap
showq     unix       n  -  n  -    -  showq
error     unix       -  -  n  -    -  error
retry     unix       -  -  n  -    -  error
smtp      unix       -  -  n  -    -  smtp
lmtp      unix       -  -  n  -    -  lmtp
anvil     unix       -  -  n  -    1  anvil
scache    unix       -  -  n  -    1  scache
tlsmgr    unix       -  -  n  -    1  tlsmgr
postlog   unix-dgram n  -  n  -    1  postlogd
`

// TestPostfixDelivers lets Postfix, which reuses connections and sends MAIL, RCPT and DATA at once,
// deliver the corpus by LMTP; one recipient does not exist, and the bounce, with its null
// reverse-path, is delivered to our server.
func TestPostfixDelivers(t *testing.T) {
	if testing.Short() {
		t.Skip("takes too long for -short")
	}
	servertest.OnEachEngine(t, node, testPostfixDelivers)
}

func testPostfixDelivers(t *testing.T, on servertest.Setup) {
	s := servertest.StartServer(t, on)
	a, b := s.Account(t, "alice"), s.Account(t, "bob")
	p := startPostfix(t, s.LMTP)

	fits := func(m mailtest.Message) bool {
		// Postfix treats NUL as the end of a line's text, and mends broken headers.
		return !m.NUL && m.Gap == "" && !postfixMends[m.Name] && inRun(m, false)
	}
	var c *mailtest.Client
	mailtest.WaitFor(t, servertest.StartLimit, func() error { return servertest.Dialable(p.smtp) })
	c = mailtest.Dial(t, p.smtp)
	c.Timeout = servertest.StartLimit
	c.Expect("220 ")
	c.Cmd("EHLO tests.example")
	servertest.EndReply(c)
	sent := 0
	for _, m := range mailtest.Corpus() {
		if !fits(m) {
			continue
		}
		servertest.StartTransaction(c, servertest.Sender(m.Name), []servertest.Account{a, b})
		c.Cmd("DATA")
		for range 3 {
			c.Expect("250")
		}
		c.Expect("354")
		c.Send(servertest.Stuff(m.Octets()) + ".\r\n")
		c.Expect("250")
		sent++
	}
	servertest.StartTransaction(c, a.Address, []servertest.Account{b, {Address: "nobody-here@" + servertest.Domain}})
	c.Cmd("DATA")
	for range 3 {
		c.Expect("250")
	}
	c.Expect("354")
	c.Send("Subject: half of it bounces\r\nFrom: <" + a.Address + ">\r\nMessage-ID: <1@tests.example>\r\nDate: Mon, 2 Jan 2006 15:04:05 +0000\r\n\r\nx\r\n.\r\n")
	c.Expect("250")
	c.Do("QUIT", "221")

	mailtest.WaitFor(t, 10*time.Minute, func() error {
		got := s.Count(t, a) // its corpus and the bounce
		also := s.Count(t, b)
		if got != sent+1 || also != sent+1 {
			return fmt.Errorf("%d and %d messages came, want %d each", got, also, sent+1)
		}
		return nil
	})
	bounces := 0
	for _, who := range []servertest.Account{a, b} {
		seen := map[string]string{}
		for _, m := range s.Maildrop(t, who) {
			seen[servertest.Mark(m.Octets)] = string(m.Octets)
			if strings.HasPrefix(string(m.Octets), "Return-Path: <>\r\n") && strings.Contains(string(m.Octets), "nobody-here@"+servertest.Domain) {
				bounces++
			}
		}
		for _, m := range mailtest.Corpus() {
			if !fits(m) {
				continue
			}
			// Postfix adds header lines in front and, where they are missing, behind the header.
			got, ok := seen[m.Name]
			text := string(m.Octets())
			_, body, _ := strings.Cut(text, "\r\n\r\n")
			switch {
			case !ok:
				t.Errorf("%s did not arrive for %s", m.Name, who.Address)
			case !strings.HasSuffix(got, "\r\n\r\n"+body):
				t.Errorf("%s arrived with another body, for %s", m.Name, who.Address)
			}
		}
	}
	if bounces != 1 {
		t.Errorf("%d bounces came, want 1", bounces)
	}
}

// postfixMends are messages without a proper header, which Postfix completes.
var postfixMends = map[string]bool{
	"dot-first": true, "header-only": true, "body-only": true, "empty": true, "one-crlf": true, "header-70k": true,
}
