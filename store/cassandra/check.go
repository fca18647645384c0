package cassandra

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strconv"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// ListContents implements store.Checks. The order is that of the tokens of Cassandra, in which
// the chunks of a content lie far apart, and a position is a token. Of the contents of a page
// that have several chunks it is looked whether all are there; of chunks in it, whether they
// belong to a content.
func (s *Store) ListContents(ctx context.Context, after string, limit int) (contents []store.ContentRow, next string, err error) {
	const what = "list contents"
	position := int64(math.MinInt64)
	if after != "" {
		if position, err = strconv.ParseInt(after, 10, 64); err != nil {
			return nil, "", fmt.Errorf("cassandra: %s: %w: not a position: %q", what, store.ErrUnavailable, after)
		}
	}
	pieces, err := s.listPieces(ctx, position, min(max(limit, 1), maxPage))
	if err != nil {
		return nil, "", err
	}
	if pieces.more {
		next = strconv.FormatInt(pieces.last, 10)
	}
	leftovers, err := s.leftovers(ctx, pieces.parts)
	if err != nil {
		return nil, "", err
	}
	contents = append(pieces.contents, leftovers...)
	for i := range contents {
		if err := s.findChunks(ctx, &contents[i]); err != nil {
			return nil, "", err
		}
	}
	return contents, next, nil
}

// pieces is a page of the table of contents.
type pieces struct {
	contents []store.ContentRow       // by their chunk 0
	parts    map[mail.MessageID][]int // other chunks
	last     int64                    // token of the last piece
	more     bool                     // there may be further ones
}

// listPieces reads about limit pieces behind a token. Those with equal tokens stay together.
func (s *Store) listPieces(ctx context.Context, position int64, limit int) (p pieces, err error) {
	type piece struct {
		token int64
		chunk int
		row   store.ContentRow
		whole bool
	}
	var all []piece
	if err := s.readAll(ctx, statement{
		cql: listContents, values: []any{position, limit + 1}, consistency: s.reads(), what: "list contents",
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
		if end > 0 { // all of one token: take them
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

// scanContent reads a row of the table of contents without its octets. before are the columns
// in front of the message. Only a chunk 0 with a size makes a whole content.
func scanContent(scan func(...any) error, token *int64, chunk *int) (c store.ContentRow, whole bool, err error) {
	var size *int64
	var chunks, codec int
	var recipients, removed []gocql.UUID
	var reversePath string
	if err := scan(token, (*gocql.UUID)(&c.ID), chunk, &size, &chunks, &codec, &recipients, &reversePath, &removed); err != nil {
		return c, false, err
	}
	if *chunk > 0 || size == nil {
		return c, false, nil
	}
	c.Info = store.ContentInfo{Size: *size, Mailboxes: mailboxes(recipients)}
	if len(removed) > 0 {
		c.Removed = mailboxes(removed)
	}
	if c.Info.ReversePath, err = decodeText(reversePath); err != nil {
		c.Damage = fmt.Errorf("cassandra: content %s: reverse-path: %w", c.ID, err)
		return c, true, nil
	}
	switch {
	case codec != 0:
		c.Damage = fmt.Errorf("cassandra: content %s: %w: coded as %d, which this release does not know", c.ID, store.ErrCorrupt, codec)
	case *size < 0 || chunks != chunksOf(*size):
		c.Damage = fmt.Errorf("cassandra: content %s: %w: %d octets in %d chunks", c.ID, store.ErrCorrupt, *size, chunks)
	}
	return c, true, nil
}

// leftovers are those of some chunks that have no chunk 0.
func (s *Store) leftovers(ctx context.Context, parts map[mail.MessageID][]int) ([]store.ContentRow, error) {
	if len(parts) == 0 {
		return nil, nil
	}
	ids := make([]mail.MessageID, 0, len(parts))
	for id := range parts {
		ids = append(ids, id)
	}
	whole, err := s.firstChunks(ctx, ids)
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

// firstChunks reads about contents by their chunk 0.
func (s *Store) firstChunks(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	found := make(map[mail.MessageID]store.ContentRow, len(ids))
	var mu sync.Mutex
	err := atOnce(ctx, parallelProofs, distinct(ids), func(ctx context.Context, id mail.MessageID) error {
		_, err := s.read(ctx, statement{
			cql: selectContentRow, values: []any{gocql.UUID(id), 0}, consistency: s.reads(), what: "look at content " + id.String(),
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

// findChunks looks whether all chunks of a content are there.
func (s *Store) findChunks(ctx context.Context, c *store.ContentRow) error {
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
		there[n], err = s.readOne(ctx, statement{
			cql: selectChunkNumber, values: []any{gocql.UUID(c.ID), n}, consistency: s.reads(), what: "look for a chunk of content " + c.ID.String(),
		}, new(int))
		return err
	}); err != nil {
		return err
	}
	for _, n := range numbers {
		if there[n] {
			continue
		}
		// A content that is being removed loses its chunk 0 last.
		if again, err := s.firstChunks(ctx, []mail.MessageID{c.ID}); err != nil || len(again) == 0 {
			return err
		}
		c.Damage = fmt.Errorf("cassandra: content %s: %w: chunk %d of %d is missing", c.ID, store.ErrCorrupt, n, chunks)
		return nil
	}
	return nil
}

// ContentRows implements store.Checks.
func (s *Store) ContentRows(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]store.ContentRow, error) {
	if err := s.enter(ctx, "look at contents"); err != nil {
		return nil, err
	}
	s.leave()
	rows, err := s.firstChunks(ctx, ids)
	if err != nil {
		return nil, err
	}
	for id, c := range rows {
		if err := s.findChunks(ctx, &c); err != nil {
			return nil, err
		}
		rows[id] = c
	}
	return rows, nil
}

// Trashed implements store.Checks. There is no way from a message to the trash that names it, but
// the mailboxes and the time of the message tell where it may be.
func (s *Store) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (map[mail.MessageID][]mail.MailboxID, error) {
	if err := s.enter(ctx, "look into the trash"); err != nil {
		return nil, err
	}
	s.leave()
	asked := make(map[mail.MessageID]stored, len(contents))
	for id, mailboxes := range contents {
		asked[id] = stored{recipients: mailboxes}
	}
	found, err := s.newSweeper(s.now()).findNamed(ctx, asked)
	if err != nil {
		return nil, err
	}
	for _, o := range found.unread {
		return nil, o.err
	}
	return found.by, nil
}

// Floor implements store.Checks.
func (s *Store) Floor(ctx context.Context, mailbox mail.MailboxID) (mail.MessageID, error) {
	floor, _, err := s.readFloor(ctx, mailbox, s.reads())
	if floor == firstID() {
		floor = mail.MessageID{}
	}
	return floor, err
}

// RemoveOrphans implements store.Checks, as the scan for orphans does it.
func (s *Store) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (store.SweepReport, error) {
	if err := s.enter(ctx, "remove orphans"); err != nil {
		return store.SweepReport{}, err
	}
	s.leave()
	if err := s.MayReclaim(); err != nil {
		return store.SweepReport{}, err
	}
	r := s.newSweeper(olderThan)
	var ids []mail.MessageID
	var parts []part
	for _, c := range contents {
		switch {
		case c.ID.Micros() >= r.before:
		case c.Parts == nil:
			ids = append(ids, c.ID)
		default:
			for _, n := range c.Parts {
				parts = append(parts, part{c.ID, n})
			}
		}
	}
	wholes, unread, err := r.contents(ctx, ids)
	if err != nil {
		return r.report, err
	}
	r.isBlocked(len(unread))
	if wholes, err = r.unlisted(ctx, wholes); err != nil {
		return r.report, err
	}
	if err := r.removeParts(ctx, parts); err != nil {
		return r.report, err
	}
	if err := r.removeOrphans(ctx, wholes, 0); err != nil {
		return r.report, err
	}
	return r.report, r.tally.verdict()
}

// Progress implements store.Notes.
func (s *Store) Progress(ctx context.Context, name string) (string, error) {
	text, _, err := s.readNote(ctx, name)
	return text, err
}

func (s *Store) readNote(ctx context.Context, name string) (text string, written int64, err error) {
	var at *int64
	if _, err = s.readOne(ctx, statement{
		cql: selectNote, values: []any{name}, consistency: s.reads(), what: "read the note " + name,
	}, &text, &at); err != nil {
		return "", 0, err
	}
	if at != nil {
		written = *at
	}
	return text, written, nil
}

// SetProgress implements store.Notes. Its timestamp is above that of what was there, so that
// nothing is lost to a clock that was ahead.
func (s *Store) SetProgress(ctx context.Context, name, text string) error {
	_, written, err := s.readNote(ctx, name)
	if err != nil {
		return err
	}
	return s.exec(ctx, statement{
		cql: insertNote, values: []any{name, text, max(micros(s.now()), written+1)}, consistency: s.writes(), what: "write the note " + name,
	})
}
