package cassandra

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
)

// How many statements of one call are on their way at the same time.
const (
	parallelChunks  = 4 // 1 MiB of memory
	parallelEntries = 16
)

// PutContent implements store.Contents. Chunk 0, which makes the content readable, is written
// when all others are.
func (s *Store) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	spool, ok := c.(*content)
	if !ok {
		return fmt.Errorf("cassandra: put content %s: %w: it is of another store", id, store.ErrUnavailable)
	}
	err := s.putContent(ctx, id, spool, info)
	if err == nil || s.level != levelEach {
		spool.Discard()
	}
	return err
}

func (s *Store) putContent(ctx context.Context, id mail.MessageID, spool *content, info store.ContentInfo) error {
	if spool.err != nil {
		if err := s.enter(ctx, "put content"); err != nil { // closed?
			return err
		}
		s.leave()
		return fmt.Errorf("cassandra: put content %s: %w", id, spool.err)
	}
	if spool.chunks() > 1 {
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallelChunks)
		for n := 1; n < spool.chunks(); n++ {
			group.Go(func() error { return s.putChunk(ctx, id, spool, n) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
	}
	first, err := spool.chunk(0)
	if err != nil {
		return err
	}
	if first == nil {
		first = []byte{} // empty, not null
	}
	return s.exec(ctx, statement{
		cql: insertFirstChunk,
		values: []any{
			gocql.UUID(id), 0, first, spool.size, spool.chunks(), uuids(info.Mailboxes), encodeText(info.ReversePath),
			id.Micros(),
		},
		consistency: s.writes(),
		what:        fmt.Sprintf("put content %s", id),
	})
}

func (s *Store) putChunk(ctx context.Context, id mail.MessageID, spool *content, n int) error {
	data, err := spool.chunk(n)
	if err != nil {
		return err
	}
	return s.exec(ctx, statement{
		cql:         insertChunk,
		values:      []any{gocql.UUID(id), n, data, id.Micros()},
		consistency: s.writes(),
		what:        fmt.Sprintf("put chunk %d of content %s", n, id),
	})
}
