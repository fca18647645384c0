package mailprogram

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/integration/servertest"
)

// Security is the protection of a session.
type Security string

// Plain sessions have no protection, STLS begins TLS inside a session, TLS begins with TLS.
const (
	Plain Security = "plain"
	STLS  Security = "stls"
	TLS   Security = "tls"
)

// Target is a maildrop with the addresses for a mail program.
type Target struct {
	servertest.Account
	Security Security
	Port     string // on localhost
	CAFile   string
	// Logouts counts the ended sessions of this maildrop.
	Logouts func() int
}

// TargetOf returns the target of a maildrop on a server.
func TargetOf(t testing.TB, s *servertest.Server, a servertest.Account, sec Security) Target {
	t.Helper()
	address := s.POP3
	if sec == TLS {
		address = s.POP3S
	}
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	logouts := func() int {
		return strings.Count(s.Proc.Out.String(), "user="+a.Address+" ended=")
	}
	return Target{Account: a, Security: sec, Port: port, CAFile: s.CA.File, Logouts: logouts}
}

// TakeFiles reads the files of a folder and removes them.
func TakeFiles(t testing.TB, dir string) [][]byte {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all [][]byte
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		all = append(all, []byte(servertest.ReadFile(t, name)))
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
	}
	return all
}
