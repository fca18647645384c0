package cassandratest

import (
	"errors"
	"fmt"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// Empty removes all rows of a popelago keyspace, and keeps its schema with its version. Tables
// without a row are skipped: emptying a table takes a node a while.
func Empty(s *gocql.Session, keyspace string) error {
	rows := s.Query("SELECT table_name FROM system_schema.tables WHERE keyspace_name = ?", keyspace).Iter()
	var wg sync.WaitGroup
	var mu sync.Mutex
	var errs []error
	for table := ""; rows.Scan(&table); {
		if table == "schema_version" {
			continue
		}
		name := keyspace + "." + table
		wg.Go(func() {
			found := s.Query("SELECT * FROM " + name + " LIMIT 1").Consistency(gocql.All).Iter() // a row may be on one node only
			n := found.NumRows()
			if err := found.Close(); err == nil && n == 0 {
				return
			}
			// Where the read failed, a table may hold too many removals.
			if err := s.Query("TRUNCATE " + name).Exec(); err != nil {
				mu.Lock()
				defer mu.Unlock()
				errs = append(errs, fmt.Errorf("empty %s: %w", name, err))
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, rows.Close())...)
}
