package cassandra

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// DialedBy makes connections to the nodes by d.
func (c Config) DialedBy(d gocql.Dialer) Config {
	c.dialer = d
	return c
}

// FewShards gives the trash 16 shards until the end of a test.
func FewShards(t testing.TB) {
	before := trashShards
	trashShards = 16
	t.Cleanup(func() { trashShards = before })
}
