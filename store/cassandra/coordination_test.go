package cassandra_test

import (
	"errors"
	"fmt"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/cassandratest"
)

// uncoordinated looks at a node when all tests of this package are done: no statement was
// conditional or serial, Cassandra has no trace of any, and no table counts.
func uncoordinated(c *cassandratest.Cluster) error {
	seen.mu.Lock()
	total, suspect := seen.total, seen.suspect
	seen.mu.Unlock()
	if len(suspect) > 0 {
		return fmt.Errorf("%d of %d statements coordinate: %s", len(suspect), total, strings.Join(suspect, "\n"))
	}
	for _, n := range c.Nodes {
		d := gocql.NewCluster(n.Address)
		d.HostFilter = gocql.WhiteListHostFilter(n.Address)
		s, err := d.CreateSession()
		if err != nil {
			return err
		}
		defer s.Close()
		rows := s.Query("SELECT row_key FROM system.paxos").Consistency(gocql.One).Iter()
		count := rows.NumRows()
		if err := rows.Close(); err != nil {
			return err
		}
		if count != 0 {
			return fmt.Errorf("system.paxos of node %s has %d rows", n.Name, count)
		}
		rows = s.Query("SELECT keyspace_name, table_name, column_name, type FROM system_schema.columns").Consistency(gocql.One).Iter()
		var keyspace, table, column, kind string
		for rows.Scan(&keyspace, &table, &column, &kind) {
			if kind == "counter" && !strings.HasPrefix(keyspace, "system") {
				err = errors.Join(err, fmt.Errorf("column %s of %s.%s is a counter", column, keyspace, table))
			}
		}
		if err := errors.Join(err, rows.Close()); err != nil {
			return err
		}
	}
	fmt.Printf("no coordination in %d statements\n", total)
	return nil
}
