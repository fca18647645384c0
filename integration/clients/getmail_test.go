package clients

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"popelago/integration/mailprogram"
	"popelago/integration/servertest"
)

// getmail takes messages apart and reassembles them. It has no STLS.
func getmailClient() client {
	const blank = "adds the blank line behind a header that ends the message"
	return client{
		name: "getmail", program: "getmail", pkg: "getmail6",
		securities: []security{plain, implicitTLS},
		prepare:    prepareGetmail,
		many:       300, // a process for each message
		changes: map[string]string{
			"dot-only":    "takes a line without colon for the body",
			"header-70k":  "folds header lines",
			"header-only": blank,
			"empty":       blank,
		},
	}
}

type getmail struct {
	target
	dir string
}

func prepareGetmail(t testing.TB, to target) fetcher {
	g := &getmail{target: to, dir: servertest.ClientDir(t)}
	makeMaildir(t, filepath.Join(g.dir, "Maildir"))
	servertest.GiveToNobody(t, g.dir)
	return g
}

func (g *getmail) Fetch(t testing.TB, keep bool, _ int) [][]byte {
	t.Helper()
	retriever := servertest.Lines("type = SimplePOP3Retriever")
	if g.Security == implicitTLS {
		retriever = servertest.Lines("type = SimplePOP3SSLRetriever", "ca_certs = "+g.CAFile)
	}
	rc := filepath.Join(g.dir, "getmailrc")
	remove := "true"
	if keep {
		remove = "false"
	}
	servertest.WriteFile(t, rc, "[retriever]\n"+retriever+servertest.Lines(
		"server = localhost",
		"port = "+g.Port,
		"username = "+g.Address,
		"password = "+g.Password,
		"[destination]",
		"type = Maildir",
		"path = "+filepath.Join(g.dir, "Maildir")+"/",
		"[options]",
		"read_all = false",
		"delete = "+remove,
		"delivered_to = false",
		"received = false",
	))
	servertest.GiveToNobody(t, rc)
	// getmail does not deliver as root, and the user nobody must be able to read the helper.
	helper := filepath.Join(g.dir, "getmail_waiting.py")
	servertest.WriteFile(t, helper, servertest.ReadFile(t, script(t, "getmail_waiting.py")))
	servertest.GiveToNobody(t, helper)
	path, err := exec.LookPath("getmail")
	if err != nil {
		t.Fatal(err)
	}
	first, _, _ := strings.Cut(servertest.ReadFile(t, path), "\n")
	python := strings.TrimSpace(strings.TrimPrefix(first, "#!")) // the interpreter with getmail's modules
	servertest.Program{Dir: g.dir, Nobody: true}.Must(t, python, helper, path, "--getmaildir="+g.dir, "--rcfile="+rc, "--quiet")
	return mailprogram.TakeFiles(t, filepath.Join(g.dir, "Maildir", "new"))
}
