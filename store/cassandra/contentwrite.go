package cassandra

import (
	"context"
	"fmt"
	"sync/atomic"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// Statements of one call in flight at the same time.
const (
	parallelChunks  = 4 // up to 2 MiB of memory, compressed and not
	parallelEntries = 16
)

// contents implements store.Contents at one level.
type contents struct {
	at  level
	cfg Config
	run *runner

	spools *spools // of the engine
}

// NewContent implements store.Contents.
func (c *contents) NewContent(ctx context.Context) (store.Content, error) {
	if err := c.run.ready(ctx, "begin a content"); err != nil {
		return nil, err
	}
	return &content{dir: c.cfg.SpoolDir, spools: c.spools}, nil
}

// PutContent implements store.Contents. Chunk 0 makes the content readable, and is written after all
// other chunks.
func (c *contents) PutContent(ctx context.Context, id mail.MessageID, written store.Content, info store.ContentInfo) error {
	spool, ok := written.(*content)
	if !ok {
		return fmt.Errorf("cassandra: put content %s: %w: it is of another store", id, store.ErrUnavailable)
	}
	err := c.putContent(ctx, id, spool, info)
	if err == nil || c.at.name != levelEach {
		spool.Discard()
	}
	return err
}

func (c *contents) putContent(ctx context.Context, id mail.MessageID, spool *content, info store.ContentInfo) error {
	if spool.err != nil {
		if err := c.run.ready(ctx, "put content"); err != nil { // after Close
			return err
		}
		return fmt.Errorf("cassandra: put content %s: %w", id, spool.err)
	}
	first, err := spool.chunk(0)
	if err != nil {
		return err
	}
	coded, form := c.cfg.coder.First(nil, first)
	marked := any(int8(coded))
	if coded == codec.Raw {
		marked, form = gocql.UnsetValue, first
	}
	if form == nil {
		form = []byte{} // empty, not null
	}
	stored := int64(len(form))
	if spool.chunks() > 1 {
		var further atomic.Int64
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(parallelChunks)
		for n := 1; n < spool.chunks(); n++ {
			group.Go(func() error {
				octets, err := c.putChunk(ctx, id, spool, n, coded)
				further.Add(int64(octets))
				return err
			})
		}
		if err := group.Wait(); err != nil {
			return err
		}
		stored += further.Load()
	}
	err = c.run.exec(ctx, statement{
		cql: insertFirstChunk,
		values: []any{
			gocql.UUID(id), 0, form, spool.size, spool.chunks(), marked, uuids(info.Mailboxes), encodeText(info.ReversePath),
			id.Micros(),
		},
		consistency: c.at.writes(),
		what:        fmt.Sprintf("put content %s", id),
	})
	if err == nil {
		c.run.metrics.countContent(spool.size, stored)
	}
	return err
}

// putChunk writes a chunk other than the first, and returns its length as stored.
func (c *contents) putChunk(ctx context.Context, id mail.MessageID, spool *content, n int, coded codec.ID) (int, error) {
	data, err := spool.chunk(n)
	if err != nil {
		return 0, err
	}
	if form := c.cfg.coder.Next(coded, nil, data); form != nil {
		data = form
	}
	return len(data), c.run.exec(ctx, statement{
		cql:         insertChunk,
		values:      []any{gocql.UUID(id), n, data, id.Micros()},
		consistency: c.at.writes(),
		what:        fmt.Sprintf("put chunk %d of content %s", n, id),
	})
}

// DropContent implements store.Contents. Chunk 0 goes first: the other chunks without it are no content. The removals
// have a later time than the chunks, and win also over a write that is still in flight. They make way for mail.
func (c *contents) DropContent(ctx context.Context, id mail.MessageID, size int64) error {
	at := after(c.cfg.Now(), id)
	for n := range chunksOf(size) {
		err := c.run.exec(ctx, statement{
			cql: deleteChunk, values: []any{at, gocql.UUID(id), n}, consistency: c.at.writes(), background: true,
			what: fmt.Sprintf("drop chunk %d of content %s", n, id),
		})
		if err != nil {
			return err
		}
	}
	return nil
}
