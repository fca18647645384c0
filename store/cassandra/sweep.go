package cassandra

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// sweeping is what background work remembers from one call to the next. Of each kind one run
// is under way at a time.
type sweeping struct {
	floors, trash, orphans sync.Mutex // held by the run of each

	open  time.Time    // when hours not yet over were last looked into
	since atomic.Int64 // when the first version of the schema was applied, in microseconds; 0: not read yet
}

// Sweep implements store.Background.
//
// It works off the trash of this datacenter, and of those written off, hour by hour; servers
// share the shards. Whatever it takes away it has read at ALL before, and only when the id is
// older than the in-flight window: while any replica is away it fails, and nothing is lost. The
// trash of an hour is read once it is over, and otherwise at most once in a window.
//
// A content goes when each of its mailboxes was worked off, or has no row and no trash. Until
// then those worked off are noted in its first chunk, in a set that only grows.
func (s *Store) Sweep(ctx context.Context, olderThan time.Time) (store.SweepReport, error) {
	return s.inBackground(ctx, &s.sweeping.trash, olderThan, (*sweeper).emptyTrash)
}

// inBackground does a run of background work unless it has to wait.
func (s *Store) inBackground(ctx context.Context, running *sync.Mutex, olderThan time.Time, run func(*sweeper, context.Context) error) (store.SweepReport, error) {
	if s.isClosed() {
		return store.SweepReport{}, store.ErrClosed
	}
	running.Lock()
	defer running.Unlock()
	if err := s.Clock(); err != nil {
		return store.SweepReport{}, err
	}
	r := s.newSweeper(olderThan)
	err := run(r, ctx)
	if ctx.Err() != nil {
		err = nil
	}
	return r.report, err
}

func (s *engine) isClosed() bool {
	s.life.RLock()
	defer s.life.RUnlock()
	return s.closed
}

// sweeper is one run of background work.
type sweeper struct {
	*Store
	now    time.Time
	before int64 // ids and removals from this microsecond on are left alone
	report store.SweepReport
}

// newSweeper begins a run that leaves alone what is not older than olderThan and the window.
func (s *Store) newSweeper(olderThan time.Time) *sweeper {
	now := s.now()
	return &sweeper{Store: s, now: now, before: min(micros(olderThan), micros(now.Add(-s.cfg.Window)))}
}

// stored is what the first chunk of a content tells about it.
type stored struct {
	size       int64
	chunks     int
	recipients []mail.MailboxID
	removed    []mail.MailboxID // worked off
}

// contents reads about some contents at ALL. Those that are not there are missing.
func (r *sweeper) contents(ctx context.Context, ids []mail.MessageID) (map[mail.MessageID]stored, error) {
	found := map[mail.MessageID]stored{}
	err := inChunks(ids, 50, func(some []mail.MessageID) error {
		return r.readAll(ctx, statement{
			cql: selectContents, values: []any{uuids(some)}, consistency: gocql.All, what: "sweep: read contents",
		}, len(some)+1, func(scan func(...any) error) error {
			var id gocql.UUID
			var size *int64
			var c stored
			var recipients, removed []gocql.UUID
			if err := scan(&id, &size, &c.chunks, &recipients, &removed); err != nil {
				return err
			}
			if size == nil {
				return nil // no chunk 0, only what was noted in one that is gone
			}
			c.size, c.recipients, c.removed = *size, mailboxes(recipients), mailboxes(removed)
			found[mail.MessageID(id)] = c
			return nil
		})
	})
	return found, err
}

func mailboxes(ids []gocql.UUID) []mail.MailboxID {
	list := make([]mail.MailboxID, len(ids))
	for i, id := range ids {
		list[i] = mail.MailboxID(id)
	}
	return list
}

// alive reads at ALL which of some messages are in a mailbox, in any segment, and notes them.
func (r *sweeper) alive(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, note func(mail.MessageID)) error {
	return inChunks(ids, 99, func(some []mail.MessageID) error {
		return r.readAll(ctx, statement{
			cql: selectAlive, values: []any{gocql.UUID(mailbox), segmentsOf(some), uuids(some)}, consistency: gocql.All,
			what: "sweep: look for rows",
		}, 2*len(some)+1, func(scan func(...any) error) error {
			var id gocql.UUID
			var size *int64
			if err := scan(&id, &size); err != nil {
				return err
			}
			if size != nil {
				note(mail.MessageID(id))
			}
			return nil
		})
	})
}

// remove takes a content away, chunk 0 last: until then it can be found again.
func (r *sweeper) remove(ctx context.Context, id mail.MessageID, c stored) error {
	for n := c.chunks - 1; n >= 0; n-- {
		if err := r.removeChunk(ctx, id, n); err != nil {
			return err
		}
	}
	r.report.Contents++
	r.report.Octets += c.size
	return nil
}

func (r *sweeper) removeChunk(ctx context.Context, id mail.MessageID, n int) error {
	return r.exec(ctx, statement{
		cql: deleteChunk, values: []any{after(r.now, id), gocql.UUID(id), n}, consistency: gocql.LocalQuorum,
		what: "sweep: remove a chunk",
	})
}

// inChunks calls do for the ids, some at a time.
func inChunks(ids []mail.MessageID, size int, do func([]mail.MessageID) error) error {
	for len(ids) > 0 {
		n := min(size, len(ids))
		if err := do(ids[:n]); err != nil {
			return err
		}
		ids = ids[n:]
	}
	return nil
}
