package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/integration/servertest"
)

// fetchmail hands each message to a command, with LF.
func fetchmailClient() client {
	const blank = "adds the blank line behind a header that ends the message"
	return client{
		name: "fetchmail", program: "fetchmail", pkg: "fetchmail",
		securities: []security{plain, stls, implicitTLS},
		prepare:    prepareFetchmail,
		many:       10_000,
		changes: map[string]string{
			"dot-first":     "leaves the doubled dot of a header line",
			"dot-only":      "takes a line without colon for the end of the header",
			"line-70k":      "breaks lines of the body after 8 KiB",
			"line-70k-dots": "breaks lines of the body after 8 KiB",
			"no-header-70k": "breaks lines of the body after 8 KiB",
			"header-only":   blank,
			"empty":         blank,
		},
	}
}

type fetchmail struct {
	target
	dir string
}

func prepareFetchmail(t testing.TB, to target) fetcher {
	f := &fetchmail{target: to, dir: servertest.ClientDir(t)}
	if err := os.Mkdir(filepath.Join(f.dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f *fetchmail) fetch(t testing.TB, keep bool, expect int) [][]byte {
	t.Helper()
	tls := "sslproto ''"
	if f.security != plain {
		tls = fmt.Sprintf("sslproto 'TLS1.2+' sslcertck sslcertfile '%s'", f.caFile)
	}
	if f.security == implicitTLS {
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
		fmt.Sprintf("poll localhost service %s proto POP3 uidl bad-header accept", f.port),
		fmt.Sprintf("user '%s' password '%s' %s %s", f.Address, f.Password, tls, afterwards),
		"norewrite nodropstatus "+deliver,
	))
	code, said := servertest.Program{Dir: f.dir}.Run(t, "fetchmail", "--nosyslog", "-f", rc)
	wantCode := 0
	if expect == 0 {
		wantCode = 1 // no mail
	}
	if code != wantCode {
		t.Fatalf("fetchmail: exit code %d, want %d\n%s", code, wantCode, servertest.Tail(said, 4000))
	}
	if expect > 100 {
		return splitBatch(servertest.ReadFile(t, batch))
	}
	return takeFiles(t, out)
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
