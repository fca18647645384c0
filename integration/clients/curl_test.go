package clients

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"popelago/integration/mailprogram"
	"popelago/integration/servertest"
)

// curl passes on every octet unchanged, and remembers no message.
func curlClient() client {
	return client{
		name: "curl", program: "curl", pkg: "curl",
		securities: []security{plain, stls, implicitTLS},
		prepare:    prepareCurl,
		crlf:       true, forgetful: true, many: 10_000, huge: true,
	}
}

type curl struct {
	target
	dir string
}

func prepareCurl(t testing.TB, to target) fetcher {
	return &curl{target: to, dir: servertest.ClientDir(t)}
}

// run runs curl on a maildrop; path is the part after host and port.
func (c *curl) run(t testing.TB, path string, args ...string) string {
	t.Helper()
	scheme := "pop3"
	if c.Security == implicitTLS {
		scheme = "pop3s"
	}
	args = append(args, "--silent", "--show-error", "--fail-early", "--cacert", c.CAFile, "--config", "-",
		scheme+"://localhost:"+c.Port+"/"+path)
	if c.Security == stls {
		args = append(args, "--ssl-reqd")
	}
	p := servertest.Program{Dir: c.dir, Stdin: fmt.Sprintf("user = %q\n", c.Address+":"+c.Password)}
	return p.Must(t, "curl", args...)
}

func (c *curl) Fetch(t testing.TB, keep bool, expect int) [][]byte {
	t.Helper()
	before := c.run(t, "", "--request", "UIDL")
	numbers := fmt.Sprintf("[1-%d]", expect)
	out := filepath.Join(c.dir, "out")
	if err := os.Mkdir(out, 0o755); err != nil {
		t.Fatal(err)
	}
	defer os.Remove(out)
	c.run(t, numbers, "--output", filepath.Join(out, "#1"))
	if after := c.run(t, "", "--request", "UIDL"); after != before {
		t.Errorf("UIDL said %q, and after RETR %q", before, after)
	}
	if !keep {
		// one session: DELE for each message, and QUIT at the end; --head: no text follows +OK
		c.run(t, numbers, "--request", "DELE", "--head")
	}
	return mailprogram.TakeFiles(t, out)
}
