package cassandra_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"popelago/store/cassandra"
	"popelago/store/cassandra/driver"
)

// answering is a cluster whose one node answers statements by table, and refuses all others as syntax errors, as
// products do that lack a table.
type answering struct {
	answers map[string][][]any // by the beginning of the text after FROM
	changes []string           // statements that are not SELECT
}

func (a *answering) Open(context.Context, driver.Options) (driver.Session, error) { return a, nil }
func (a *answering) Nodes() []driver.Node                                         { return nil }
func (a *answering) Close()                                                       {}
func (a *answering) Closed() bool                                                 { return false }

func (a *answering) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	columns, from, read := strings.Cut(st.CQL, " FROM ")
	if !read {
		a.changes = append(a.changes, st.CQL)
	}
	for text, rows := range a.answers {
		if what, table, _ := strings.Cut(text, "@"); strings.HasPrefix(from, table) && strings.Contains(columns, what) {
			return &answer{rows: rows, at: -1}, nil
		}
	}
	return nil, fmt.Errorf("no such table or column: %s", st.CQL)
}

type answer struct {
	rows [][]any
	at   int
}

func (r *answer) Len() int     { return len(r.rows) }
func (r *answer) Page() []byte { return nil }
func (r *answer) Close() error { return nil }
func (r *answer) Next() bool   { r.at++; return r.at < len(r.rows) }
func (r *answer) Scan(dest ...any) error {
	if len(dest) != len(r.rows[r.at]) {
		return fmt.Errorf("%d columns, want %d", len(r.rows[r.at]), len(dest))
	}
	for i, v := range r.rows[r.at] {
		reflect.ValueOf(dest[i]).Elem().Set(reflect.ValueOf(v))
	}
	return nil
}

// names makes rows of one text.
func names(list ...string) (rows [][]any) {
	for _, name := range list {
		rows = append(rows, []any{name})
	}
	return rows
}

// likeCassandra returns the tables of a product, with changes. Keys: column@table.
func likeCassandra(release string, keyspaces, tables, columns []string) map[string][][]any {
	return map[string][][]any{
		"release_version@system.local":                                   names(release),
		"data_center@system.local":                                       names("dc1"),
		"data_center@system.peers":                                       nil,
		"keyspace_name@system_schema.keyspaces":                          names(append([]string{"system", "system_schema"}, keyspaces...)...),
		"table_name@system_schema.tables WHERE keyspace_name = 'system'": names(append([]string{"local", "peers"}, tables...)...),
		"column_name@system_schema.columns":                              names(append([]string{"key", "cluster_name", "release_version"}, columns...)...),
	}
}

func TestOtherProducts(t *testing.T) {
	for _, c := range []struct {
		product string
		host    string
		answers map[string][][]any
		lacks   string
	}{
		{"ScyllaDB", "127.0.0.1", likeCassandra("3.0.8", []string{"system_auth"}, []string{"scylla_local", "clients"}, nil), "only_purge_repaired_tombstones"},
		{"Amazon Keyspaces", "127.0.0.1", likeCassandra("3.11.2", []string{"system_schema_mcs", "system_multiregion_info"}, nil, nil), "EACH_QUORUM and ALL"},
		{"Amazon Keyspaces", "cassandra.eu-central-1.amazonaws.com:9142", map[string][][]any{"data_center@system.local": names("eu-central-1")}, "EACH_QUORUM and ALL"},
		{"Azure Cosmos DB", "mail.cassandra.cosmos.azure.com:10350", likeCassandra("3.11.0", nil, nil, nil), "a timestamp for each column"},
		{"DataStax Astra DB", "127.0.0.1", likeCassandra("4.0.0.6816", []string{"datastax_sla"}, nil, []string{"dse_version"}), "CREATE KEYSPACE"},
		{"DataStax Enterprise", "127.0.0.1", likeCassandra("4.0.0.6816", []string{"dse_system"}, nil, []string{"dse_version"}), "the virtual tables and settings of Cassandra 4.1"},
		{"YugabyteDB", "127.0.0.1", likeCassandra("3.9-SNAPSHOT", nil, []string{"partitions"}, nil), "EACH_QUORUM, ALL"},
	} {
		node := &answering{answers: c.answers}
		cfg := cassandra.Config{Hosts: []string{c.host}, Datacenter: "dc1", Keyspace: "popelago", Replication: map[string]int{"dc1": 3}, Cluster: node}
		_, err := cassandra.Apply(t.Context(), cfg)
		if !errors.Is(err, cassandra.ErrOtherProduct) || !strings.Contains(err.Error(), c.product+", which lacks") || !strings.Contains(err.Error(), c.lacks) {
			t.Errorf("%s: schema apply: %v", c.product, err)
		}
		if len(node.changes) > 0 {
			t.Errorf("%s: %q was executed", c.product, node.changes)
		}
		found, err := cassandra.Doctor(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		for _, f := range found {
			if f.Check == "product" && f.Level == failure {
				lines = append(lines, f.Text)
			}
		}
		if len(lines) != 1 || !strings.HasPrefix(lines[0], "the cluster is "+c.product+", which lacks") || strings.Contains(lines[0], "\n") {
			t.Errorf("%s: doctor: %q of %+v", c.product, lines, found)
		}
	}
}

// Neither a release of Cassandra nor a cluster that cannot be read is another product.
func TestCassandraIsNoOtherProduct(t *testing.T) {
	keyspaces := []string{"system_auth", "system_distributed", "system_traces", "system_views", "system_virtual_schema", "popelago"}
	for _, answers := range []map[string][][]any{
		likeCassandra("4.1.9", keyspaces, []string{"paxos", "repairs"}, []string{"tokens"}),
		likeCassandra("5.0.6", keyspaces, []string{"paxos", "repairs", "partition_denylist"}, []string{"tokens"}),
		likeCassandra("6.0-alpha1", append(keyspaces, "system_metrics", "system_cluster_metadata"), nil, nil),
		likeCassandra("3.11.2", []string{"system_auth"}, nil, nil),
		{"release_version@system.local": names("5.0.6")},
		{},
	} {
		cfg := cassandra.Config{Hosts: []string{"127.0.0.1"}, Datacenter: "dc1", Replication: map[string]int{"dc1": 3}, Cluster: &answering{answers: answers}}
		if _, err := cassandra.Apply(t.Context(), cfg); errors.Is(err, cassandra.ErrOtherProduct) {
			t.Errorf("%v: %v", answers, err)
		}
		found, err := cassandra.Doctor(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range found {
			if f.Check == "product" {
				t.Errorf("%v: %+v", answers, f)
			}
		}
	}
}
