package cassandratest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Uncoordinated returns an error if a running node has a trace of a lightweight transaction, or of
// a SERIAL read, or a table with counters. It is made for Lazy.After.
func Uncoordinated(c *Cluster) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	var errs []error
	for _, n := range c.Nodes {
		if n.Running() {
			errs = append(errs, n.uncoordinated(ctx))
		}
	}
	return errors.Join(errs...)
}

func (n *Node) uncoordinated(ctx context.Context) error {
	s, err := n.Session(sessionLimit)
	if err != nil {
		return fmt.Errorf("cassandratest: connect to node %s: %w", n.Name, err)
	}
	defer s.Close()
	rows := s.Query("SELECT row_key FROM system.paxos").Consistency(gocql.One).IterContext(ctx)
	count := rows.NumRows()
	if err := rows.Close(); err != nil {
		return err
	}
	if count != 0 {
		return fmt.Errorf("cassandratest: system.paxos of node %s has %d rows", n.Name, count)
	}
	rows = s.Query("SELECT keyspace_name, table_name, column_name, type FROM system_schema.columns").
		Consistency(gocql.One).IterContext(ctx)
	var keyspace, table, column, kind string
	var errs []error
	for rows.Scan(&keyspace, &table, &column, &kind) {
		if kind == "counter" && !strings.HasPrefix(keyspace, "system") {
			errs = append(errs, fmt.Errorf("cassandratest: column %s of %s.%s is a counter", column, keyspace, table))
		}
	}
	return errors.Join(append(errs, rows.Close())...)
}
