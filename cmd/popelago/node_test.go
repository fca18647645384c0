package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/rogpeppe/go-internal/testscript"

	"popelago/cassandratest"
)

// node is the Cassandra node shared by the tests of this package. It asks for a password, offers
// TLS with a certificate that names no address, and syncs its commit log in Cassandra's default
// way.
var node = cassandratest.Lazy{Options: cassandratest.Options{Unkilled: true, Patient: true, Settings: map[string]string{
	"authenticator":         "PasswordAuthenticator",
	"authorizer":            "CassandraAuthorizer",
	"permissions_validity":  "0ms", // granted rights count at once
	"commitlog_sync":        "periodic",
	"commitlog_sync_period": "10000ms",
	"client_encryption_options": `{enabled: true, optional: true, keystore: "` + testFile("node/node.pem") + `", ` +
		`ssl_context_factory: {class_name: org.apache.cassandra.security.PEMBasedSslContextFactory}}`,
}}, After: cassandratest.Uncoordinated}

// testFile returns the absolute path of a file in testdata. The certificates in testdata/node are
// for these tests only.
func testFile(name string) string {
	path, err := filepath.Abs(filepath.Join("testdata", filepath.FromSlash(name)))
	if err != nil {
		panic(err) // no working folder: no test can run
	}
	return path
}

// testsWithNode runs the tests of the package and then stops the node.
type testsWithNode struct{ m *testing.M }

func (t testsWithNode) Run() int { return node.Main(t.m) }

// TestNodeScripts runs testdata/nodescript/*.txtar, one after the other, with a real node. The
// environment holds its settings; CA is the file with the authority of its certificate. One more
// command:
//
//	cql STATEMENT               execute a statement, with ` for '
func TestNodeScripts(t *testing.T) {
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	n := node.Get(t).Nodes[0]
	p := scripts("testdata/nodescript")
	p.Setup = func(env *testscript.Env) error {
		endAtOnce(env)
		env.Defer(func() { showWarnings(env) })
		env.Setenv("POPELAGO_STORE_ENGINE", "cassandra")
		env.Setenv("POPELAGO_CASSANDRA_HOSTS", n.Address)
		env.Setenv("POPELAGO_CASSANDRA_DATACENTER", "dc1")
		env.Setenv("POPELAGO_CASSANDRA_USERNAME", "cassandra")
		env.Setenv("POPELAGO_CASSANDRA_TIMEOUT", "1m")
		env.Setenv("POPELAGO_CASSANDRA_CONNECT_TIMEOUT", "1m")
		env.Setenv("POPELAGO_CASSANDRA_PASSWORD_FILE", "secret")
		env.Setenv("CA", testFile("node/ca.pem"))
		return os.WriteFile(filepath.Join(env.WorkDir, "secret"), []byte("cassandra\n"), 0o600)
	}
	p.Cmds["cql"] = func(ts *testscript.TestScript, neg bool, args []string) {
		if neg || len(args) == 0 {
			ts.Fatalf("usage: cql STATEMENT")
		}
		// A quote in a script is a quote of the script's own.
		ts.Check(executeCQL(n, strings.ReplaceAll(strings.Join(args, " "), "`", "'")))
	}
	testscript.Run(t, p)
}

func executeCQL(n *cassandratest.Node, statement string) error {
	session, err := n.Session(10 * time.Minute) // a busy machine is no fault
	if err != nil {
		return err
	}
	defer session.Close()
	return session.Query(statement).Consistency(gocql.One).Exec()
}
