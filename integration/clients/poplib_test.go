package clients

import (
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"popelago/integration/mailprogram"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// Python's poplib without changes refuses lines longer than 2,048 octets.
func poplibClient() client {
	return client{
		name: "poplib", program: "python3", pkg: "python3",
		securities: []security{plain, stls, implicitTLS},
		prepare:    func(t testing.TB, to target) fetcher { return preparePoplib(t, to, 0) },
		crlf:       true,
		many:       10_000,
		wants:      mailtest.Message.Poplib,
	}
}

// Programs that use poplib often raise its limit, and then fetch all messages.
func poplibLongClient() client {
	return client{
		name: "poplib-long", program: "python3", pkg: "python3",
		securities: []security{plain},
		prepare:    func(t testing.TB, to target) fetcher { return preparePoplib(t, to, 1<<20) },
		crlf:       true,
		many:       100,
		wants:      func(m mailtest.Message) bool { return !m.Large },
	}
}

type poplib struct {
	target
	dir       string
	lineLimit int // 0: poplib's own
}

func preparePoplib(t testing.TB, to target, lineLimit int) fetcher {
	p := &poplib{target: to, dir: servertest.ClientDir(t), lineLimit: lineLimit}
	if err := os.Mkdir(filepath.Join(p.dir, "out"), 0o755); err != nil {
		t.Fatal(err)
	}
	return p
}

func (p *poplib) Fetch(t testing.TB, keep bool, _ int) [][]byte {
	t.Helper()
	afterwards := "remove"
	if keep {
		afterwards = "keep"
	}
	out := filepath.Join(p.dir, "out")
	servertest.Program{Stdin: p.Password}.Must(t, "python3", script(t, "fetch_poplib.py"), p.Port, string(p.Security), p.CAFile,
		p.Address, out, filepath.Join(p.dir, "seen"), afterwards, strconv.Itoa(p.lineLimit))
	return mailprogram.TakeFiles(t, out)
}

// script is the absolute path of a helper program in testdata.
func script(t testing.TB, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}
