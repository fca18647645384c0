package cassandra_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/storetest"
)

// plain is a store as the suite expects: the suite compares entries with the entries it added, and
// the engine fills in the origin.
type plain struct{ *cassandra.Store }

func (p plain) ListMessages(ctx context.Context, mb mail.MailboxID, after mail.MessageID, limit int) ([]mail.Message, bool, error) {
	rows, more, err := p.Store.ListMessages(ctx, mb, after, limit)
	for i := range rows {
		rows[i] = withoutOrigin(rows[i])
	}
	return rows, more, err
}

func (p plain) Message(ctx context.Context, mb mail.MailboxID, id mail.MessageID) (mail.Message, error) {
	m, err := p.Store.Message(ctx, mb, id)
	return withoutOrigin(m), err
}

func withoutOrigin(m mail.Message) mail.Message {
	if m.Origin == "dc1" {
		m.Origin = ""
	}
	return m
}

func TestConformance(t *testing.T) {
	conform(t, storetest.Suite{}, func(s *cassandra.Store) store.Engine { return plain{s} })
}

// bulk is a store whose mailboxes have all been bulk for a day and a half.
type bulk struct {
	plain
	since time.Time
}

func (b bulk) AddMessages(ctx context.Context, entries []store.Entry) []error {
	entries = slices.Clone(entries)
	for i := range entries {
		entries[i].Bulk = b.since
	}
	return b.plain.AddMessages(ctx, entries)
}

func TestConformanceBulk(t *testing.T) {
	since := time.Now().Add(-36 * time.Hour)
	conform(t, storetest.Suite{EntriesOnly: true, ModelChecks: 12}, func(s *cassandra.Store) store.Engine { return bulk{plain{s}, since} })
}

// conform runs the suite.
func conform(t *testing.T, suite storetest.Suite, as func(*cassandra.Store) store.Engine) {
	cassandra.FewShards(t) // otherwise two of three statements of the suite search shards without a row
	cfg := config(t)
	apply(t, cfg)
	// Between two cases the node forgets all rows: without a commit log it writes no row to disk before.
	cql := session(t, cfg)
	durable := func(on bool) {
		if err := cql.Query(fmt.Sprintf("ALTER KEYSPACE %s WITH durable_writes = %t", cfg.Keyspace, on)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	durable(false)
	t.Cleanup(func() { durable(true) })
	suite.KeepsAttempts = true
	if os.Getenv("TEST_CHAOS") != "" {
		suite.ModelChecks = 0
	} else if suite.ModelChecks == 0 {
		suite.ModelChecks = 25 // a node needs a second for each; every run makes histories of its own
	}
	suite.Open = func(t *testing.T) store.Engine {
		truncate(t, cfg)
		return as(reopen(t, cfg))
	}
	suite.Reopen = func(t *testing.T, s store.Engine) store.Engine {
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return as(reopen(t, cfg))
	}
	suite.Run(t)
}
