package cassandra_test

import (
	"context"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// cluster is the one node that the tests of this package share.
var cluster = cassandratest.Lazy{
	// A read fails that has to skip more removals than this: Cassandra's own limit is 100,000.
	Options: cassandratest.Options{Settings: map[string]string{
		"tombstone_warn_threshold": "500", "tombstone_failure_threshold": "2000",
		// A busy machine is no fault.
		"read_request_timeout": "20s", "write_request_timeout": "20s",
	}},
	After: uncoordinated,
}

// seen gathers what all statements of all tests had in common: see uncoordinated.
var seen observations

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("rapid.checks"); f != nil && f.Value.String() == f.DefValue {
		_ = f.Value.Set("15") // each step is a dozen statements
	}
	cluster.Keyspaces = []string{keyspace()}
	trio.Keyspaces = []string{trioKeyspace(1), trioKeyspace(3)}
	os.Exit(cassandratest.Main(m, &cluster, &trio))
}

// keyspace is the one that most tests share. Another schema has another, so that a node that is
// kept from run to run never has one that was made by other code.
func keyspace() string {
	schema, err := cassandra.Schema(cassandra.Config{Hosts: []string{"-"}, Datacenter: "dc1", Replication: map[string]int{"dc1": 1}})
	if err != nil {
		panic(err) // the configuration is constant
	}
	return fmt.Sprintf("test_%x", sha256.Sum256([]byte(schema)))[:13]
}

// config is the configuration of the shared node.
func config(t testing.TB) cassandra.Config {
	if testing.Short() {
		t.Skip("needs a Cassandra node")
	}
	c := cluster.Get(t)
	return cassandra.Config{
		Hosts:       c.Addresses("dc1"),
		Datacenter:  "dc1",
		Keyspace:    keyspace(),
		Replication: map[string]int{"dc1": 1},
		SpoolDir:    t.TempDir(),
		Window:      time.Nanosecond, // nothing in a test is under way for long
		ScanRate:    1_000_000,
		Observe:     seen.observe,
		Timeout:     30 * time.Second, ConnectTimeout: 30 * time.Second,
	}
}

// apply makes the schema, once.
func apply(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	if _, err := cassandra.Apply(t.Context(), cfg); err != nil {
		t.Fatal(err)
	}
}

// open opens an empty store.
func open(t testing.TB, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	apply(t, cfg)
	truncate(t, cfg)
	return reopen(t, cfg)
}

// reopen opens a store with what is there.
func reopen(t testing.TB, cfg cassandra.Config) *cassandra.Store {
	t.Helper()
	s, err := cassandra.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// session is a connection of the test's own.
func session(t testing.TB, cfg cassandra.Config) *gocql.Session {
	t.Helper()
	d := gocql.NewCluster(cfg.Hosts...)
	d.ProtoVersion = 4
	d.Timeout = 30 * time.Second
	d.Consistency = gocql.One
	s, err := d.CreateSession()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// truncate empties the tables that hold anything, and keeps the schema. What is left of servers
// that were killed goes, too.
func truncate(t testing.TB, cfg cassandra.Config) {
	t.Helper()
	s := session(t, cfg)
	for _, table := range []string{"mailbox", "content", "trash", "floor", "address", "domain", "ledger", "note"} {
		rows := s.Query("SELECT * FROM " + cfg.Keyspace + "." + table + " LIMIT 1").Iter()
		n := rows.NumRows()
		if err := rows.Close(); err != nil || n > 0 { // an error: too much was removed there
			if err := s.Query("TRUNCATE " + cfg.Keyspace + "." + table).Exec(); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := s.Query("DELETE FROM " + cfg.Keyspace + ".server WHERE datacenter = 'dc1'").Exec(); err != nil {
		t.Fatal(err)
	}
}

// observations are statements that were executed.
type observations struct {
	mu         sync.Mutex
	statements []cassandra.Statement
	suspect    []string // those that coordinate
	total      int
}

func (o *observations) observe(s cassandra.Statement) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.total++
	if !isHeartbeat(s.CQL) {
		o.statements = append(o.statements, s)
	}
	if len(o.statements) > 10_000 {
		o.statements = o.statements[5_000:]
	}
	upper := strings.ToUpper(s.CQL)
	if strings.Contains(upper, " IF ") || s.Serial != "" || strings.Contains(s.Consistency, "SERIAL") {
		o.suspect = append(o.suspect, s.CQL+" at "+s.Consistency+" "+s.Serial)
	}
}

// isHeartbeat reports whether a statement is one that servers execute by themselves.
func isHeartbeat(cql string) bool {
	for _, table := range []string{" server ", " watermark ", " system.local"} {
		if strings.Contains(cql, table) {
			return true
		}
	}
	return false
}

// take returns the statements but heartbeats since the last call.
func (o *observations) take() []cassandra.Statement {
	o.mu.Lock()
	defer o.mu.Unlock()
	list := o.statements
	o.statements = nil
	return list
}

// ids makes ids for tests.
var ids = mail.NewIDSource(nil)

func mailbox(name string) mail.MailboxID {
	return mail.DeriveMailboxID(mail.Address{Local: name, Domain: "example.test"}, mail.MessageID{})
}

// put stores content of n octets.
func put(t testing.TB, s store.Store, id mail.MessageID, n int, mailboxes ...mail.MailboxID) {
	t.Helper()
	c, err := s.NewContent(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(make([]byte, n)); err != nil {
		t.Fatal(err)
	}
	if err := s.PutContent(t.Context(), id, c, store.ContentInfo{ReversePath: "s@example.org", Mailboxes: mailboxes}); err != nil {
		t.Fatal(err)
	}
}

func add(t testing.TB, s store.Store, mb mail.MailboxID, ms ...mail.Message) {
	t.Helper()
	var entries []store.Entry
	for _, m := range ms {
		entries = append(entries, store.Entry{Mailbox: mb, Message: m})
	}
	for _, err := range s.AddMessages(t.Context(), entries) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

func list(ctx context.Context, s store.Store, mb mail.MailboxID) ([]mail.Message, error) {
	rows, _, err := s.ListMessages(ctx, mb, mail.MessageID{}, 5000)
	return rows, err
}
