package cassandra

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/codec"
)

// ListContents implements store.Checks. A position is a token of Cassandra, and the order is the order
// of tokens, in which the chunks of a content lie far apart. Contents with several chunks are checked
// for missing chunks, and further chunks of the page for a missing content.
func (k *checks) ListContents(ctx context.Context, after string, limit int) (contents []store.ContentRow, next string, err error) {
	const what = "list contents"
	position := int64(math.MinInt64)
	if after != "" {
		if position, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", fmt.Errorf("cassandra: %s: %w: not a position: %q", what, store.ErrUnavailable, after)
		}
	}
	pieces, err := k.listPieces(ctx, position, min(max(limit, 1), maxPage))
	if err != nil {
		return nil, "", err
	}
	if pieces.more {
		next = strconv.FormatInt(pieces.last, 10)
	}
	leftovers, err := k.leftovers(ctx, pieces.parts)
	if err != nil {
		return nil, "", err
	}
	contents = append(pieces.contents, leftovers...)
	for i := range contents {
		if err := k.findChunks(ctx, &contents[i]); err != nil {
			return nil, "", err
		}
	}
	return contents, next, nil
}

// pieces is a page of the table of contents.
type pieces struct {
	contents []store.ContentRow       // by their chunk 0
	parts    map[mail.MessageID][]int // other chunks
	last     int64                    // token of the last chunk
	more     bool                     // further chunks may follow
}

// listPieces reads about limit chunks after a token. Chunks with equal tokens stay together.
func (k *checks) listPieces(ctx context.Context, position int64, limit int) (p pieces, err error) {
	type piece struct {
		token int64
		chunk int
		row   store.ContentRow
		whole bool
	}
	var all []piece
	if err := k.run.readAll(ctx, statement{
		cql: listContents, values: []any{position, limit + 1}, consistency: k.at.reads(), what: "list contents",
	}, limit+1, func(scan func(...any) error) error {
		var x piece
		var err error
		x.row, x.whole, err = scanContent(scan, &x.token, &x.chunk)
		all = append(all, x)
		return err
	}); err != nil {
		return p, err
	}
	if p.more = len(all) > limit; p.more {
		end := slices.IndexFunc(all, func(x piece) bool { return x.token == all[limit].token })
		if end > 0 { // otherwise the whole page has one token
			all = all[:end]
		}
	}
	p.parts = map[mail.MessageID][]int{}
	for _, x := range all {
		p.last = x.token
		if x.whole {
			p.contents = append(p.contents, x.row)
		} else {
			p.parts[x.row.ID] = append(p.parts[x.row.ID], x.chunk)
		}
	}
	return p, nil
}

// scanContent reads a row of the table content without its octets. whole is set for a chunk 0 with a
// size.
func scanContent(scan func(...any) error, token *int64, chunk *int) (c store.ContentRow, whole bool, err error) {
	var size *int64
	var chunks, coded int
	var recipients, removed []gocql.UUID
	var reversePath string
	if err := scan(token, (*gocql.UUID)(&c.ID), chunk, &size, &chunks, &coded, &recipients, &reversePath, &removed); err != nil {
		return c, false, err
	}
	if *chunk > 0 || size == nil {
		return c, false, nil
	}
	c.Info = store.ContentInfo{Size: *size, Mailboxes: mailboxIDs(recipients)}
	if len(removed) > 0 {
		c.Removed = mailboxIDs(removed)
	}
	if c.Info.ReversePath, err = decodeText(reversePath); err != nil {
		c.Damage = fmt.Errorf("cassandra: content %s: reverse-path: %w", c.ID, err)
		return c, true, nil
	}
	unknown := codec.Known(codec.ID(coded))
	switch {
	case unknown != nil:
		c.Damage = fmt.Errorf("cassandra: content %s: %w", c.ID, unknown)
	case *size < 0 || chunks != chunksOf(*size):
		c.Damage = fmt.Errorf("cassandra: content %s: %w: %d octets in %d chunks", c.ID, store.ErrCorrupt, *size, chunks)
	}
	return c, true, nil
}

// leftovers returns the chunks of contents without a chunk 0.
func (k *checks) leftovers(ctx context.Context, parts map[mail.MessageID][]int) ([]store.ContentRow, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	ids := make([]mail.MessageID, 0, len(parts))
	for id := range parts {
		ids = append(ids, id)
	}
	whole, err := k.firstChunks(ctx, ids)
	if err != nil {
		return nil, err
	}
	var rows []store.ContentRow
	for id, chunks := range parts {
		if _, ok := whole[id]; !ok {
			rows = append(rows, store.ContentRow{ID: id, Parts: chunks})
		}
	}
	return rows, nil
}

// firstChunks reads the chunk 0 of contents, without octets.
func (k *checks) firstChunks(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	found := make(map[mail.MessageID]store.ContentRow, len(ids))
	var mu sync.Mutex
	err := atOnce(ctx, parallelProofs, distinct(ids), func(ctx context.Context, id mail.MessageID) error {
		_, err := k.run.read(ctx, statement{
			cql: selectContentRow, values: []any{gocql.UUID(id), 0}, consistency: k.at.reads(), what: "look at content " + id.String(),
		}, 2, nil, func(scan func(...any) error) error {
			var token int64
			var chunk int
			c, whole, err := scanContent(scan, &token, &chunk)
			if whole {
				mu.Lock()
				defer mu.Unlock()
				found[c.ID] = c
			}
			return err
		})
		return err
	})
	return found, err
}

// findChunks checks a content for missing chunks.
func (k *checks) findChunks(ctx context.Context, c *store.ContentRow) error {
	chunks := chunksOf(c.Info.Size)
	if c.Parts != nil || c.Damage != nil || chunks < 2 {
		return nil
	}
	there := make([]bool, chunks)
	numbers := make([]int, 0, chunks-1)
	for n := 1; n < chunks; n++ {
		numbers = append(numbers, n)
	}
	if err := atOnce(ctx, parallelProofs, numbers, func(ctx context.Context, n int) (err error) {
		there[n], err = k.run.readOne(ctx, statement{
			cql: selectChunkNumber, values: []any{gocql.UUID(c.ID), n}, consistency: k.at.reads(), what: "look for a chunk of content " + c.ID.String(),
		}, new(int))
		return err
	}); err != nil {
		return err
	}
	for _, n := range numbers {
		if there[n] {
			continue
		}
		// A sweep removes chunk 0 last.
		if again, err := k.firstChunks(ctx, []mail.MessageID{c.ID}); err != nil || len(again) == 0 {
			return err
		}
		c.Damage = fmt.Errorf("cassandra: content %s: %w: chunk %d of %d is missing", c.ID, store.ErrCorrupt, n, chunks)
		return nil
	}
	return nil
}

// ContentRows implements store.Checks.
func (k *checks) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	if err := k.run.ready(ctx, "look at contents"); err != nil {
		return nil, err
	}
	rows, err := k.firstChunks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, c := range rows {
		if err := k.findChunks(ctx, &c); err != nil {
			return nil, err
		}
		rows[id] = c
	}
	return rows, nil
}
