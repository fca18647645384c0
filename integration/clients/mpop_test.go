package clients

import (
	"path/filepath"
	"testing"

	"popelago/integration/mailprogram"
	"popelago/integration/servertest"
)

// mpop pipelines and is exact to the octet.
func mpopClient() client {
	return client{
		name: "mpop", program: "mpop", pkg: "mpop",
		securities: []security{plain, stls, implicitTLS},
		prepare:    prepareMpop,
		many:       10_000,
	}
}

type mpop struct {
	target
	dir string
}

func prepareMpop(t testing.TB, to target) fetcher {
	m := &mpop{target: to, dir: servertest.ClientDir(t)}
	makeMaildir(t, filepath.Join(m.dir, "Maildir"))
	return m
}

func (m *mpop) Fetch(t testing.TB, keep bool, _ int) [][]byte {
	t.Helper()
	rc := filepath.Join(m.dir, "mpoprc")
	text := servertest.Lines(
		"defaults",
		"received_header off",
		"uidls_file "+filepath.Join(m.dir, "uidls"),
		"account x",
		"host localhost",
		"port "+m.Port,
		"user "+m.Address,
		`password "`+m.Password+`"`,
		"keep "+onOff(keep),
		"delivery maildir "+filepath.Join(m.dir, "Maildir"),
	)
	if m.Security == plain {
		text += servertest.Lines("tls off", "auth user") // chooses no clear-text login by itself
	} else {
		text += servertest.Lines("tls on", "tls_starttls "+onOff(m.Security == stls), "tls_trust_file "+m.CAFile, "auth on")
	}
	servertest.WriteFile(t, rc, text)
	// Cut off inside RETR, mpop 1.4.18 writes line ends without end: hence the limit, in KiB.
	script := `ulimit -f 200000; exec mpop --quiet --file="$1" x`
	servertest.Program{Dir: m.dir}.Must(t, "bash", "-c", script, "mpop", rc)
	return mailprogram.TakeFiles(t, filepath.Join(m.dir, "Maildir", "new"))
}

func onOff(on bool) string {
	if on {
		return "on"
	}
	return "off"
}
