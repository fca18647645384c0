package nodes

import (
	"errors"
	"strings"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// A server whose user may read but not write does not start, and doctor names the missing grants. The
// check of permissions writes nothing.
func TestPermissions(t *testing.T) {
	owner := config(t)
	owner.Keyspace = "allowed"
	cql := enginetest.Session(t, owner)
	do := func(statement string) {
		t.Helper()
		if err := cql.Query(statement).Consistency(gocql.One).Exec(); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	enginetest.Apply(t, owner)
	do("DROP ROLE IF EXISTS clerk") // of an earlier run on a kept node
	do("CREATE ROLE clerk WITH PASSWORD = 'clerk' AND LOGIN = true")
	clerk := owner
	clerk.Username, clerk.Password = "clerk", "clerk"
	refused := func(texts ...string) {
		t.Helper()
		s, err := cassandra.Open(t.Context(), clerk)
		if err == nil {
			s.Close()
		}
		if !errors.Is(err, cassandra.ErrNotAllowed) {
			t.Errorf("Open: %v, want %v", err, cassandra.ErrNotAllowed)
			return
		}
		for _, text := range texts {
			if !strings.Contains(err.Error(), text) {
				t.Errorf("Open: %v lacks %q", err, text)
			}
		}
	}
	refused("GRANT SELECT ON KEYSPACE allowed TO clerk")
	do("GRANT SELECT ON KEYSPACE allowed TO clerk")
	refused("GRANT MODIFY ON KEYSPACE allowed TO clerk")
	enginetest.Doctor(t, clerk).Say(t, cassandra.FindingError, "access", `the user "clerk" lacks permissions`, "GRANT MODIFY ON KEYSPACE allowed TO clerk")
	do("GRANT MODIFY ON TABLE allowed.mailbox TO clerk")
	refused("GRANT MODIFY ON TABLE allowed.content TO clerk", "GRANT MODIFY ON TABLE allowed.watermark TO clerk")
	for _, table := range []string{"mailbox", "content", "trash", "floor", "address", "domain", "access_token", "retrieval", "login", "trace", "audit", "ledger", "progress", "note", "server", "watermark"} {
		rows := cql.Query("SELECT * FROM allowed." + table).Consistency(gocql.One).Iter()
		n := rows.NumRows()
		if err := rows.Close(); err != nil || n > 0 {
			t.Errorf("table %s has %d rows: %v", table, n, err)
		}
	}
	do("GRANT MODIFY ON KEYSPACE allowed TO clerk")
	s, err := cassandra.Open(t.Context(), clerk)
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, f := range enginetest.Doctor(t, clerk).Errors() {
		t.Errorf("with all permissions: %+v", f)
	}

	fresh := clerk
	fresh.Keyspace = "forbidden"
	if _, err := cassandra.Apply(t.Context(), fresh); !errors.Is(err, cassandra.ErrNotAllowed) || !strings.Contains(err.Error(), "POPELAGO_CASSANDRA_USERNAME") {
		t.Errorf("Apply as a user without the right: %v", err)
	}
}
