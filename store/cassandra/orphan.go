package cassandra

import (
	"context"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// maxOrphans is how many candidates are held in memory before they are checked.
const maxOrphans = 20_000

// findOrphans looks through all content for what nobody will ever ask for: contents of which
// no mailbox has a row and that no trash names, and chunks without a chunk 0.
func (r *sweeper) findOrphans(ctx context.Context) error {
	candidates := map[mail.MessageID]stored{}
	var from page
	for {
		wholes, parts, next, err := r.scanContents(ctx, from)
		if err != nil {
			return err
		}
		alive, err := r.aliveRows(ctx, wholes)
		if err != nil {
			return err
		}
		for id, c := range wholes {
			if len(alive[id]) == 0 {
				candidates[id] = c
			}
		}
		if err := r.removeParts(ctx, parts); err != nil {
			return err
		}
		if len(candidates) >= maxOrphans || next == nil {
			if err := r.removeOrphans(ctx, candidates); err != nil {
				return err
			}
			clear(candidates)
		}
		if next == nil {
			return nil
		}
		from = next
	}
}

// part is a chunk other than the first.
type part struct {
	message mail.MessageID
	chunk   int
}

// scanContents reads one page of all content that is old enough: contents by their chunk 0,
// and other chunks.
func (r *sweeper) scanContents(ctx context.Context, from page) (wholes map[mail.MessageID]stored, parts []part, next page, err error) {
	wholes = map[mail.MessageID]stored{}
	next, err = r.read(ctx, statement{
		cql: scanContents, consistency: gocql.LocalQuorum, what: "sweep: look through all content",
	}, 1000, from, func(scan func(...any) error) error {
		var id mail.MessageID
		var chunk int
		var size *int64
		var chunks int
		var recipients []gocql.UUID
		if err := scan((*gocql.UUID)(&id), &chunk, &size, &chunks, &recipients); err != nil {
			return err
		}
		switch {
		case id.Micros() >= r.before:
		case chunk > 0:
			parts = append(parts, part{id, chunk})
		case size != nil:
			wholes[id] = stored{size: *size, chunks: chunks, recipients: mailboxes(recipients)}
		}
		return nil
	})
	return wholes, parts, next, err
}

// removeParts removes those chunks that have no chunk 0.
func (r *sweeper) removeParts(ctx context.Context, parts []part) error {
	seen := map[mail.MessageID]bool{}
	var ids []mail.MessageID
	for _, p := range parts {
		if !seen[p.message] {
			seen[p.message] = true
			ids = append(ids, p.message)
		}
	}
	whole, err := r.contents(ctx, ids)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if _, ok := whole[p.message]; ok {
			continue
		}
		if err := r.removeChunk(ctx, p.message, p.chunk); err != nil {
			return err
		}
	}
	return nil
}

// removeOrphans removes those of some contents without a row that no trash names either. The
// trash is read after the rows: a row that was gone has had its trash before.
func (r *sweeper) removeOrphans(ctx context.Context, candidates map[mail.MessageID]stored) error {
	if len(candidates) == 0 {
		return nil
	}
	err := r.readAll(ctx, statement{
		cql: scanTrash, consistency: gocql.All, what: "sweep: look through all trash",
	}, 5000, func(scan func(...any) error) error {
		var id gocql.UUID
		if err := scan(&id); err != nil {
			return err
		}
		delete(candidates, mail.MessageID(id))
		return nil
	})
	if err != nil {
		return err
	}
	for id, c := range candidates {
		if err := r.remove(ctx, id, c); err != nil {
			return err
		}
	}
	return nil
}
