package cassandra_test

import (
	"context"
	"testing"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/storetest"
)

// plain is a store as the suite knows it: it compares rows with what it added, and this engine
// fills in the origin.
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
	cfg := config(t)
	apply(t, cfg)
	storetest.Suite{
		KeepsAttempts: true,
		Open: func(t *testing.T) store.Store {
			truncate(t, cfg)
			return plain{reopen(t, cfg)}
		},
		Reopen: func(t *testing.T, s store.Store) store.Store {
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			return plain{reopen(t, cfg)}
		},
	}.Run(t)
}
