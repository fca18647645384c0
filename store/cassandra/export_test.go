package cassandra

import (
	"context"
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

// FitsByColumns reports whether the tables of a cluster have the columns of this program.
func FitsByColumns(ctx context.Context, cfg Config) (bool, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return false, err
	}
	session, err := cfg.connectAny(ctx)
	if err != nil {
		return false, err
	}
	defer endSession(session)
	return fitsByColumns(ctx, session, cfg.Keyspace), nil
}
