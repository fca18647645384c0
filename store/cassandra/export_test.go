package cassandra

import (
	"context"
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
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

// FailWholeScans makes each read of a whole ring fail, as if a part of the ring had no quorum.
func (s *Store) FailWholeScans() {
	r := s.engine.link.current.Load()
	s.engine.link.current.Store(&route{datacenter: r.datacenter, session: noWholeScans{r.session}})
}

type noWholeScans struct{ driver.Session }

func (n noWholeScans) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	switch st.CQL {
	case scanTokens, scanDomains, scanRemoved, scanContents:
		return nil, answer(gocql.ErrCodeUnavailable)
	}
	return n.Session.Execute(ctx, st)
}
