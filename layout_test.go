// Package popelago_test holds the tests of the tree as a whole.
package popelago_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

type layer struct {
	pkg     string
	imports []string
}

// layout is the table of packages, with the packages of this module that each may import. Every
// package may also import mail. A package may import only packages above it in the table, so
// imports point down only.
var layout = []layer{
	{"mail", nil},
	{"event", nil},
	{"defaults", nil},
	{"cache", nil},
	{"suggest", nil},
	{"span", nil},
	{"wire", []string{"defaults"}},
	{"adminclient", nil},
	{"bench", nil},
	{"store", nil},
	{"store/storetest", []string{"store"}},
	{"store/codec", []string{"store"}},
	{"store/embedded", []string{"span", "defaults", "store", "store/codec"}},
	{"store/cassandra/limit", []string{"store"}},
	{"store/cassandra/driver", nil},
	{"store/cassandra", []string{"cache", "span", "defaults", "store", "store/codec", "store/cassandra/driver", "store/cassandra/limit"}},
	{"store/cassandra/murmur", nil},
	{"store/cassandra/keyload", []string{"store", "store/cassandra", "store/cassandra/murmur"}},
	{"token", []string{"cache", "defaults", "store"}},
	{"trace", []string{"defaults", "event", "store"}},
	{"webhook", []string{"defaults", "event", "store"}},
	{"visit", []string{"cache", "defaults", "store"}},
	{"account", []string{"cache", "defaults", "store", "suggest"}},
	{"ledger", []string{"defaults", "store"}},
	{"quota", []string{"cache", "defaults", "account", "store"}},
	{"delivery", []string{"span", "defaults", "event", "account", "ledger", "quota", "store"}},
	{"maildrop", []string{"store"}},
	{"task", []string{"span", "defaults", "event", "account", "quota", "store"}},
	{"smtpserver", []string{"span", "defaults", "wire", "store", "account", "delivery", "quota"}},
	{"pop3server", []string{"span", "defaults", "event", "wire", "store", "account", "maildrop"}},
	{"admin", []string{"event", "account", "trace", "webhook", "delivery", "maildrop", "quota", "store", "task", "token", "adminclient"}},
	{"console", []string{"defaults", "adminclient"}},
	{"config", []string{
		"suggest", "wire", "store", "store/codec", "store/embedded", "store/cassandra", "account", "token", "trace", "webhook", "visit", "ledger", "quota", "delivery", "task", "smtpserver", "pop3server", "console",
	}},
	{"app", []string{
		"event", "wire", "config", "store", "store/embedded", "store/cassandra", "account", "token", "trace", "webhook", "visit", "ledger", "quota", "delivery", "maildrop",
		"task", "smtpserver", "pop3server", "adminclient", "admin", "console",
	}},
	{"cmd/popelago", []string{"span", "config", "account", "app", "adminclient", "bench", "store/cassandra/keyload"}},

	// Helpers for tests and measurements; no package above imports them.
	{"mailtest", []string{"wire"}},
	{"testreport", nil},
	{"freeport", nil},
	{"cassandratest", []string{"freeport"}},
	{"simulation/cluster", []string{"store/cassandra/driver", "store/cassandra/murmur"}},
	{"simulation", []string{"account", "delivery", "event", "ledger", "maildrop", "quota", "simulation/cluster", "store", "store/cassandra", "store/cassandra/driver", "task"}},
	{"cassandratest/cmd", []string{"cassandratest"}},
	{"delivery/deliverytest", []string{"account", "delivery", "ledger", "maildrop", "store", "store/embedded"}},
	{"mailtest/sessiontest", []string{"account", "maildrop", "mailtest", "store", "wire"}},
	{"console/consoletest", []string{"account", "admin", "adminclient", "console", "event", "mailtest", "store", "store/embedded", "trace"}},
	{"smtpserver/smtptest", []string{"delivery", "mailtest", "mailtest/sessiontest", "smtpserver", "store", "store/storetest"}},
	{"pop3server/pop3test", []string{"mailtest", "mailtest/sessiontest", "pop3server", "store"}},
	{"bench/process", []string{"bench", "freeport"}},
	{"bench/comparedovecot", []string{"bench/process", "freeport"}},
	{"bench/comparecassandra", []string{"bench", "bench/process", "cassandratest", "freeport"}},
	{"bench/comparejames", []string{"bench/process", "cassandratest", "freeport"}},
	{"bench/comparefill", []string{"bench/process", "store", "store/embedded"}},
	{"store/enginetest", []string{"cassandratest", "mailtest", "store", "store/cassandra", "task"}},
	{"integration/servertest", []string{"adminclient", "bench", "cassandratest", "freeport", "mailtest"}},
	{"integration", []string{"integration/servertest"}},
	{"integration/sitetest", []string{"adminclient", "app", "cassandratest", "config", "integration/servertest", "mailtest"}},
	{"integration/attack", []string{"config", "app", "integration/servertest"}},
	{"integration/mailprogram", []string{"integration/servertest", "mailtest"}},
	{"integration/browser", []string{"integration/servertest", "mailtest"}},
	{"integration/clients", []string{"integration/browser", "integration/mailprogram", "integration/servertest"}},
	{"integration/nodes", []string{"integration/servertest", "integration/sitetest", "store/enginetest"}},
	{"integration/datacenters", []string{"integration/mailprogram", "integration/servertest", "integration/sitetest"}},
}

// testImports lists the packages that test files may import in addition: engines, suites, helpers,
// and packages that inspect the result.
var testImports = []string{
	"event", "freeport", "mailtest", "store", "store/storetest", "store/embedded", "store/cassandra", "store/enginetest", "cassandratest",
	"pop3server/pop3test", "smtpserver/smtptest", "delivery", "delivery/deliverytest", "maildrop", "task", "trace", "adminclient", "bench",
	"pop3server/pop3test", "smtpserver/smtptest", "mailtest/sessiontest", "maildrop", "task", "adminclient", "bench", "console", "console/consoletest", "store/cassandra/murmur",
}

const module = "popelago"

type goPackage struct {
	ImportPath, Name, Doc              string
	Imports, TestImports, XTestImports []string
	GoFiles, TestGoFiles, XTestGoFiles []string
}

// packages asks go list for every package of the module, without the root.
func packages(t *testing.T) map[string]goPackage {
	t.Helper()
	out, err := exec.Command("go", "list", "-json", "./...").Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			t.Fatalf("go list: %s", exit.Stderr)
		}
		t.Fatal(err)
	}
	found := map[string]goPackage{}
	for dec := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p goPackage
		if err := dec.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if p.ImportPath != module {
			found[strings.TrimPrefix(p.ImportPath, module+"/")] = p
		}
	}
	return found
}

// ours returns the imports that are packages of this module.
func ours(imports []string) []string {
	var o []string
	for _, path := range imports {
		if name, ok := strings.CutPrefix(path, module+"/"); ok {
			o = append(o, name)
		}
	}
	return o
}

func TestImportsFollowTheLayout(t *testing.T) {
	found := packages(t)
	for name, p := range found {
		i := slices.IndexFunc(layout, func(l layer) bool { return l.pkg == name })
		if i < 0 {
			t.Errorf("%s is not in the layout", name)
			continue
		}
		allowed := append([]string{"mail"}, layout[i].imports...)
		for _, path := range ours(p.Imports) {
			if !slices.Contains(allowed, path) {
				t.Errorf("%s imports %s, which the layout does not allow", name, path)
			}
		}
		for _, path := range ours(append(p.TestImports, p.XTestImports...)) {
			if path != name && !slices.Contains(allowed, path) && !slices.Contains(testImports, path) {
				t.Errorf("a test of %s imports %s, which the layout does not allow", name, path)
			}
		}
	}
}

func TestLayoutPointsDown(t *testing.T) {
	var above []string
	for _, l := range layout {
		for _, path := range l.imports {
			if !slices.Contains(above, path) {
				t.Errorf("%s may import %s, which does not stand above it", l.pkg, path)
			}
		}
		above = append(above, l.pkg)
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for name, p := range packages(t) {
		if p.Doc == "" && len(p.GoFiles) > 0 {
			t.Errorf("%s has no package comment", name)
		}
		want := "Package " + p.Name + " "
		if p.Name == "main" {
			want = "Command "
		}
		if p.Doc != "" && !strings.HasPrefix(p.Doc, want) {
			t.Errorf("the comment of %s begins %q, want %q", name, p.Doc, want)
		}
	}
}
