package cassandra

import (
	"bytes"
	"context"
	"errors"
	"slices"
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

	open   time.Time    // when hours not yet over were last looked into
	passed int          // contents that the last scan for orphans could not prove
	since  atomic.Int64 // when the first version of the schema was applied, in microseconds; 0: not read yet
	progressed
}

// Sweep implements store.Background.
//
// It works off the trash of this datacenter, and of those written off, hour by hour; servers
// share the shards. Whatever it takes away it has read at ALL before, and only when the id is
// older than the in-flight window. What cannot be read at ALL, because a replica is away, is left
// alone, counted and tried again a window later; the rest goes on. The trash of an hour is read
// once it is over, and otherwise at most once in a window.
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
	if err := s.MayReclaim(); err != nil {
		return store.SweepReport{}, err
	}
	r := s.newSweeper(olderThan)
	err := run(r, ctx)
	switch {
	case ctx.Err() != nil:
		err = nil
	case err == nil || errors.Is(err, errTired):
		err = r.tally.verdict()
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
	tally  tally
	proofs chan struct{} // holds one for each proof under way

	mu     sync.Mutex // for report, and for what functions gather
	report store.SweepReport
}

// isBlocked counts parts of the work that wait for replicas.
func (r *sweeper) isBlocked(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Blocked += n
}

// newSweeper begins a run that leaves alone what is not older than olderThan and the window.
func (s *Store) newSweeper(olderThan time.Time) *sweeper {
	now := s.now()
	return &sweeper{
		Store: s, now: now, before: min(micros(olderThan), micros(now.Add(-s.cfg.Window))),
		proofs: make(chan struct{}, parallelProofs),
	}
}

// stored is what the first chunk of a content tells about it.
type stored struct {
	size       int64
	chunks     int
	recipients []mail.MailboxID
	removed    []mail.MailboxID // worked off
}

// contents reads about some contents at ALL, each by itself. Those that are not there are missing
// in found; those that could not be read are in unread.
func (r *sweeper) contents(ctx context.Context, ids []mail.MessageID) (found map[mail.MessageID]stored, unread map[mail.MessageID]*obstacle, err error) {
	found, unread = map[mail.MessageID]stored{}, map[mail.MessageID]*obstacle{}
	err = atOnce(ctx, parallelProofs, distinct(ids), func(ctx context.Context, id mail.MessageID) error {
		c, o, err := r.content(ctx, id)
		r.mu.Lock()
		defer r.mu.Unlock()
		switch {
		case o != nil:
			unread[id] = o
		case c != nil:
			found[id] = *c
		}
		return err
	})
	return found, unread, err
}

// content reads about a content at ALL; nil: there is none.
func (r *sweeper) content(ctx context.Context, id mail.MessageID) (c *stored, o *obstacle, err error) {
	o, err = r.prove(ctx, statement{
		cql: selectContent, values: []any{gocql.UUID(id), 0}, what: "sweep: read content " + id.String(),
	}, 2, func(scan func(...any) error) error {
		var size *int64
		var chunks int
		var recipients, removed []gocql.UUID
		if err := scan(&size, &chunks, &recipients, &removed); err != nil {
			return err
		}
		if size != nil { // otherwise there is no chunk 0, only what was noted in one that is gone
			c = &stored{size: *size, chunks: chunks, recipients: mailboxes(recipients), removed: mailboxes(removed)}
		}
		return nil
	})
	return c, o, err
}

// distinct is some ids without repetitions, in the order of ids.
func distinct(ids []mail.MessageID) []mail.MessageID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, mail.MessageID.Compare)
	return slices.Compact(ids)
}

func mailboxes(ids []gocql.UUID) []mail.MailboxID {
	list := make([]mail.MailboxID, len(ids))
	for i, id := range ids {
		list[i] = mail.MailboxID(id)
	}
	return list
}

// alive reads at ALL which of some messages are in a mailbox, in any segment, and notes them. Each
// segment is read by itself.
func (r *sweeper) alive(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, note func(mail.MessageID)) (*obstacle, error) {
	for _, segment := range segmentsOf(ids) {
		in := ids
		if segment != ordinary {
			in = slices.DeleteFunc(slices.Clone(ids), func(id mail.MessageID) bool { return dayOfID(id) != segment })
		}
		for some := range slices.Chunk(in, 99) {
			o, err := r.prove(ctx, statement{
				cql: selectAlive, values: []any{gocql.UUID(mailbox), segment, uuids(some)}, what: "sweep: look for rows of mailbox " + mailbox.String(),
			}, len(some)+1, func(scan func(...any) error) error {
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
			if o != nil || err != nil {
				return o, err
			}
		}
	}
	return nil, nil
}

// aliveRows reads at ALL which mailboxes still have a row for each of some contents. Contents of
// which that could not be read for some mailbox are in unread.
func (r *sweeper) aliveRows(ctx context.Context, contents map[mail.MessageID]stored) (alive map[mail.MessageID][]mail.MailboxID, unread map[mail.MessageID]*obstacle, err error) {
	byMailbox := map[mail.MailboxID][]mail.MessageID{}
	for id, c := range contents {
		for _, mailbox := range c.recipients {
			byMailbox[mailbox] = append(byMailbox[mailbox], id)
		}
	}
	alive, unread = map[mail.MessageID][]mail.MailboxID{}, map[mail.MessageID]*obstacle{}
	err = atOnce(ctx, parallelProofs, sortedIDs(byMailbox), func(ctx context.Context, mailbox mail.MailboxID) error {
		var found []mail.MessageID
		o, err := r.alive(ctx, mailbox, byMailbox[mailbox], func(id mail.MessageID) { found = append(found, id) })
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, id := range distinct(found) {
			alive[id] = append(alive[id], mailbox)
		}
		if o != nil {
			for _, id := range byMailbox[mailbox] {
				unread[id] = o
			}
		}
		return err
	})
	return alive, unread, err
}

// sortedIDs are the keys of a map, in order.
func sortedIDs[V any](m map[mail.MailboxID]V) []mail.MailboxID {
	ids := make([]mail.MailboxID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b mail.MailboxID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// remove takes a content away, chunk 0 last: until then it can be found again.
func (r *sweeper) remove(ctx context.Context, id mail.MessageID, c stored) error {
	for n := c.chunks - 1; n >= 0; n-- {
		if err := r.removeChunk(ctx, id, n); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
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
