package cassandra

import (
	"bytes"
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// sweepRun is one run of background work. Its methods read and remove contents for all kinds of runs.
type sweepRun struct {
	*sweeper
	*prover
	now    time.Time
	before int64 // ids and removals from this microsecond on are left alone

	mu     sync.Mutex // guards report, remaining, and the results of parallel reads
	report store.SweepReport
	// remaining counts shards of the trash that are still to be swept.
	remaining int
}

// addBlocked counts parts of the work that wait for replicas.
func (r *sweepRun) addBlocked(n int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Blocked += n
}

// stored holds the first chunk of a content, without its octets.
type stored struct {
	size       int64
	chunks     int
	recipients []mail.MailboxID
	removed    []mail.MailboxID // mailboxes that were swept
}

// contents reads the first chunk of contents at ALL, each separately. Missing contents are missing in
// found; contents that could not be read are in unread.
func (r *sweepRun) contents(ctx context.Context, ids []mail.MessageID) (found map[mail.MessageID]stored, unread map[mail.MessageID]*obstacle, err error) {
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

// content reads the first chunk of a content at ALL; nil: there is none.
func (r *sweepRun) content(ctx context.Context, id mail.MessageID) (c *stored, o *obstacle, err error) {
	o, err = r.prove(ctx, statement{
		cql: selectContent, values: []any{gocql.UUID(id), 0}, what: "sweep: read content " + id.String(),
	}, 2, func(scan func(...any) error) error {
		var size *int64
		var chunks int
		var recipients, removed []gocql.UUID
		if err := scan(&size, &chunks, &recipients, &removed); err != nil {
			return err
		}
		if size != nil { // otherwise chunk 0 is gone, except for notes written later
			c = &stored{size: *size, chunks: chunks, recipients: mailboxIDs(recipients), removed: mailboxIDs(removed)}
		}
		return nil
	})
	return c, o, err
}

// distinct returns ids without repetitions, in the order of ids.
func distinct(ids []mail.MessageID) []mail.MessageID {
	ids = slices.Clone(ids)
	slices.SortFunc(ids, mail.MessageID.Compare)
	return slices.Compact(ids)
}

func mailboxIDs(ids []gocql.UUID) []mail.MailboxID {
	list := make([]mail.MailboxID, len(ids))
	for i, id := range ids {
		list[i] = mail.MailboxID(id)
	}
	return list
}

// alive reads at ALL which messages are in a mailbox, in any segment, and calls note for each. Each
// segment is read separately.
func (r *sweepRun) alive(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID, note func(mail.MessageID)) (*obstacle, error) {
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

// aliveRows reads at ALL which mailboxes still have a row for each content. Contents with a mailbox that
// could not be read are in unread.
func (r *sweepRun) aliveRows(ctx context.Context, contents map[mail.MessageID]stored) (alive map[mail.MessageID][]mail.MailboxID, unread map[mail.MessageID]*obstacle, err error) {
	byMailbox := byMailbox(contents)
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

// byMailbox lists the contents of each mailbox.
func byMailbox(contents map[mail.MessageID]stored) map[mail.MailboxID][]mail.MessageID {
	lists := map[mail.MailboxID][]mail.MessageID{}
	for id, c := range contents {
		for _, mailbox := range c.recipients {
			lists[mailbox] = append(lists[mailbox], id)
		}
	}
	return lists
}

// sortedIDs returns the keys of a map, in order.
func sortedIDs[V any](m map[mail.MailboxID]V) []mail.MailboxID {
	ids := make([]mail.MailboxID, 0, len(m))
	for id := range m {
		ids = append(ids, id)
	}
	slices.SortFunc(ids, func(a, b mail.MailboxID) int { return bytes.Compare(a[:], b[:]) })
	return ids
}

// remove removes a content, chunk 0 last: until then the content can be found again.
func (r *sweepRun) remove(ctx context.Context, id mail.MessageID, c stored) error {
	for n := c.chunks - 1; n >= 0; n-- {
		if err := r.removeChunk(ctx, id, n); err != nil {
			return err
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.report.Contents++
	r.report.Octets += c.size
	r.showLocked(ctx)
	return nil
}

// showLocked shows the report so far. r.mu is held.
func (r *sweepRun) showLocked(ctx context.Context) {
	soFar := r.report
	soFar.Remaining = r.remaining
	store.Show(ctx, soFar)
}

func (r *sweepRun) removeChunk(ctx context.Context, id mail.MessageID, n int) error {
	return r.run.exec(ctx, statement{
		cql: deleteChunk, values: []any{after(r.now, id), gocql.UUID(id), n}, consistency: gocql.LocalQuorum,
		what: "sweep: remove a chunk",
	})
}

// sweeper implements store.Background: the background work that removes rows and contents.
type sweeper struct {
	cfg     Config
	run     *runner
	clock   *clockWatch
	windows *windowCheck
	peers   *peerServers
	lister  *lister
	markers *markers
	*caches
	state sweepState
}

// sweepState holds the memory of background work between two runs. One run of each kind is in progress
// at a time.
type sweepState struct {
	floors, trash, orphans store.Turn // held by the run of each kind

	open   time.Time    // when hours still open were last read
	noted  []string     // datacenters that trashList holds, as far as known; the run of trash uses it
	passed int          // contents that the last scan for orphans could not prove
	since  atomic.Int64 // when the first version of the schema was applied, microseconds; 0: not read yet
	trashState
}

// newRun begins a run that leaves alone all rows younger than olderThan or than the window.
func (s *sweeper) newRun(olderThan time.Time) *sweepRun {
	now := s.cfg.Now()
	return &sweepRun{
		sweeper: s, prover: newProver(s.run), now: now,
		before: min(micros(olderThan), micros(now.Add(-s.cfg.Window))),
	}
}

// parallelShards is the count of shards of a domain, or of the trash, read at the same time.
const parallelShards = 16
