package cassandra_test

import (
	"fmt"
	"strings"

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
	if err := cassandratest.Uncoordinated(c); err != nil {
		return err
	}
	fmt.Printf("no coordination in %d statements\n", total)
	return nil
}
