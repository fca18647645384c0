package cassandra_test

import (
	"testing"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

const benchSize = 8 << 10

// BenchmarkBare does the two necessary writes straight through the driver, for comparison.
func BenchmarkBare(b *testing.B) {
	cfg := config(b)
	open(b, cfg)
	d := gocql.NewCluster(cfg.Hosts...)
	d.Keyspace, d.ProtoVersion, d.WriteCoalesceWaitTime, d.Consistency = cfg.Keyspace, 4, 0, gocql.LocalQuorum
	d.PoolConfig.HostSelectionPolicy = gocql.TokenAwareHostPolicy(gocql.DCAwareRoundRobinPolicy("dc1"))
	s, err := d.CreateSession()
	if err != nil {
		b.Fatal(err)
	}
	defer s.Close()
	data := make([]byte, benchSize)
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			id := gocql.UUID(ids.Next())
			err := s.Query("INSERT INTO content (message, chunk, data, size, chunks) VALUES (?, 0, ?, ?, 1)", id, data, benchSize).Exec()
			if err == nil {
				err = s.Query("INSERT INTO mailbox (mailbox, segment, message, size, recipient) VALUES (?, 0, ?, ?, ?)", id, id, benchSize, "alice@example.test").Exec()
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}

// BenchmarkDeliver stores messages of 8 KiB for one recipient, from 32 goroutines.
func BenchmarkDeliver(b *testing.B) {
	cfg := config(b)
	cfg.Observe = nil
	s := open(b, cfg)
	data := make([]byte, benchSize)
	b.SetParallelism(16)
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c, err := s.NewContent(b.Context())
			if err != nil {
				b.Error(err)
				return
			}
			_, _ = c.Write(data)
			m := mail.Message{ID: ids.Next(), Size: benchSize, Recipient: "alice@example.test"}
			mb := mail.MailboxID(m.ID) // spread over many
			err = s.PutContent(b.Context(), m.ID, c, store.ContentInfo{ReversePath: "s@example.org", Mailboxes: []mail.MailboxID{mb}})
			if err == nil {
				err = s.AddMessages(b.Context(), []store.Entry{{Mailbox: mb, Message: m}})[0]
			}
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
}
