package mailprogram

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/integration/servertest"
)

// Fetchmail is fetchmail, set up for one maildrop, with its memory of fetched messages. fetchmail hands
// each message to a command, with LF. Its memory does not depend on the port.
type Fetchmail struct {
	Target
	dir string
}

// NewFetchmail prepares fetchmail for a maildrop.
func NewFetchmail(t testing.TB, to Target) *Fetchmail {
	t.Helper()
	f := &Fetchmail{Target: to, dir: servertest.ClientDir(t)}
	if err := os.Mkdir(filepath.Join(f.dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

// Exit codes of fetchmail.
const (
	fetchmailGotMail = 0
	fetchmailNoMail  = 1
)

// Fetch runs fetchmail once and returns the messages of the run; expect is the expected number. Without
// keep fetchmail also removes the messages from the server.
func (f *Fetchmail) Fetch(t testing.TB, keep bool, expect int) [][]byte {
	t.Helper()
	messages, code, said := f.run(t, keep, expect)
	want := fetchmailGotMail
	if expect == 0 {
		want = fetchmailNoMail
	}
	if code != want {
		t.Fatalf("fetchmail: exit code %d, want %d\n%s", code, want, servertest.Tail(said, 4000))
	}
	return messages
}

// TryFetch runs fetchmail once and leaves the messages on the server. refused is the output of fetchmail
// if its session failed, else empty.
func (f *Fetchmail) TryFetch(t testing.TB) (messages [][]byte, refused string) {
	t.Helper()
	messages, code, said := f.run(t, true, 1)
	if code != fetchmailGotMail && code != fetchmailNoMail {
		refused = fmt.Sprintf("exit code %d: %s", code, servertest.Tail(said, 4000))
	}
	return messages, refused
}

// run runs fetchmail, and returns its messages, its exit code and its output.
func (f *Fetchmail) run(t testing.TB, keep bool, expect int) (messages [][]byte, code int, said string) {
	t.Helper()
	tls := "sslproto ''"
	if f.Security != Plain {
		tls = fmt.Sprintf("sslproto 'TLS1.2+' sslcertck sslcertfile '%s'", f.CAFile)
	}
	if f.Security == TLS {
		tls = "ssl " + tls
	}
	out := filepath.Join(f.dir, "out")
	deliver := fmt.Sprintf("mda 'exec cat >%s/$$'", out)
	batch := filepath.Join(f.dir, "batch")
	if expect > 100 { // without a process for each message
		deliver = fmt.Sprintf("bsmtp '%s'", batch)
	}
	afterwards := "keep"
	if !keep {
		afterwards = "nokeep"
	}
	rc := filepath.Join(f.dir, "fetchmailrc")
	servertest.WriteFile(t, rc, servertest.Lines(
		"set no bouncemail",
		"set invisible", // no Received line
		fmt.Sprintf("poll localhost service %s proto POP3 uidl bad-header accept", f.Port),
		fmt.Sprintf("user '%s' password '%s' %s %s", f.Address, f.Password, tls, afterwards),
		"norewrite nodropstatus "+deliver,
	))
	code, said = servertest.Program{Dir: f.dir}.Run(t, "fetchmail", "--nosyslog", "--pidfile", filepath.Join(f.dir, "fetchmail.pid"), "-f", rc) // of root, one at a time otherwise
	if expect > 100 && code == fetchmailGotMail {
		return splitBatch(servertest.ReadFile(t, batch)), code, said
	}
	return TakeFiles(t, out), code, said
}

// splitBatch cuts the messages, with LF, out of a text in batched SMTP. fetchmail has moved the
// Return-Path line into the envelope; splitBatch puts the line back.
func splitBatch(text string) [][]byte {
	var all [][]byte
	for _, transaction := range strings.Split(strings.ReplaceAll(text, "\r\n", "\n"), "MAIL FROM:")[1:] {
		envelope, message, _ := strings.Cut(transaction, "\nDATA\n")
		sender, _, _ := strings.Cut(envelope, ">")
		message, _, _ = strings.Cut(message, "\n.\n")
		all = append(all, []byte("Return-Path: "+sender+">\n"+message+"\n"))
	}
	return all
}
