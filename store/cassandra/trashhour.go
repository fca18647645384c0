package cassandra

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// removal is a row of the trash.
type removal struct {
	mailbox mail.MailboxID
	message mail.MessageID
	at      int64
}

// trashPart names a partition of the trash.
type trashPart struct {
	datacenter  string
	hour, shard int
}

// hourState is what this process remembers of a partition of the trash that Sweep has looked
// into. Forgetting it costs reading the partition once more.
type hourState struct {
	complete bool      // nothing was left
	blocked  int       // removals that could not be proven
	retry    time.Time // not before
	obstacle *obstacle // the first one; as long as it is there the others are not tried
	from     page      // where a run that was tired has to go on; the rows before are counted
}

// progressed is what this process remembers of the trash. Safe for concurrent use.
type progressed struct {
	mu    sync.Mutex
	next  map[string]int          // the hour of each shard that comes next, as last read or noted
	hours map[trashPart]hourState // those from there on that were looked into
}

// maxHours bounds the memory of progressed.
const maxHours = 100_000

func (s *progressed) nextOf(name string) (next int, known bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next, known = s.next[name]
	return next, known
}

// remember notes which hour of a shard comes next; those before, from p on, are forgotten.
func (s *progressed) remember(p trashPart, next int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for ; p.hour < next; p.hour++ {
		delete(s.hours, p)
	}
	if s.next == nil {
		s.next = map[string]int{}
	}
	s.next[trashName(p.datacenter, p.shard)] = next
}

func (s *progressed) hour(p trashPart) hourState {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hours[p]
}

func (s *progressed) setHour(p trashPart, h hourState) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.hours == nil || len(s.hours) >= maxHours {
		s.hours = map[trashPart]hourState{}
	}
	s.hours[p] = h
}

// visitHour works off a partition of the trash if there is something to be done in it, and reports
// whether nothing is left. What was blocked is tried again a window later, if what was in the way
// first is not any more.
func (r *sweeper) visitHour(ctx context.Context, p trashPart, over bool) (complete bool, err error) {
	h := r.sweeping.hour(p)
	switch {
	case !over:
		h = hourState{}
	case h.complete:
		return true, nil
	case h.retry.After(r.now):
		r.isBlocked(h.blocked)
		return false, nil
	}
	gone := true
	if h.from == nil {
		if gone, err = r.gone(ctx, h.obstacle); err != nil {
			return false, err
		}
	}
	if gone {
		h, err = r.emptyHour(ctx, p, h)
	} else {
		h.retry = r.now.Add(r.cfg.Window)
	}
	if err != nil && !errors.Is(err, errTired) {
		return false, err
	}
	r.isBlocked(h.blocked)
	if !over { // there will be more in it
		h = hourState{blocked: h.blocked, obstacle: h.obstacle}
	}
	r.sweeping.setHour(p, h)
	return h.complete, err
}

// emptyHour works off one partition of the trash, or what a run before left of it. A partition
// that cannot be read at ALL is read at LOCAL_QUORUM: a removal that is found is one, but there
// may be more of them. With errTired the state says where to go on: behind the page that was tiring.
func (r *sweeper) emptyHour(ctx context.Context, p trashPart, before hourState) (h hourState, err error) {
	if before.from != nil {
		h = hourState{blocked: before.blocked, obstacle: before.obstacle, from: before.from}
	}
	level, young, resumed := gocql.All, false, before.from != nil
	for {
		rows, next, o, err := r.readTrash(ctx, p, level, h.from)
		if err != nil {
			return h, err
		}
		if o != nil {
			h.note(o, 1)
			if level != gocql.All {
				break
			}
			level = gocql.LocalQuorum
			continue
		}
		obstacles, err := r.workOff(ctx, rows)
		if errors.Is(err, errTired) {
			h.note(&obstacle{err: err}, len(rows))
			if h.from = next; next == nil {
				h.retry = r.now.Add(r.cfg.Window)
			}
		}
		if err != nil {
			return h, err
		}
		done := make([]bool, len(rows))
		for i, t := range rows {
			switch {
			case r.young(t):
				young = true
			case obstacles[i] != nil:
				h.note(obstacles[i], 1)
			default:
				done[i] = true
			}
		}
		err = r.clear(ctx, p, rows, done, level)
		if o, err = r.tally.failed(ctx, statement{}, err); err != nil {
			return h, err
		}
		h.note(o, 1)
		if h.from = next; next == nil {
			break
		}
	}
	h.from = nil
	h.complete = h.blocked == 0 && !young && !resumed
	if !h.complete {
		h.retry = r.now.Add(r.cfg.Window)
	}
	return h, nil
}

// note adds what an obstacle blocks; nil: nothing.
func (h *hourState) note(o *obstacle, n int) {
	if o == nil {
		return
	}
	h.blocked += n
	if h.obstacle == nil {
		h.obstacle = o
	}
}

// young reports whether a removal is not to be worked off yet.
func (r *sweeper) young(t removal) bool { return t.at >= r.before || t.message.Micros() >= r.before }

// readTrash reads a page of a partition of the trash.
func (r *sweeper) readTrash(ctx context.Context, p trashPart, level gocql.Consistency, from page) (rows []removal, next page, o *obstacle, err error) {
	st := statement{
		cql: selectTrash, values: []any{p.datacenter, p.hour, p.shard}, consistency: level, what: "sweep: read the trash",
	}
	if err := r.beginProof(ctx); err != nil {
		return nil, nil, nil, err
	}
	defer r.endProof()
	next, err = r.read(ctx, st, 500, from, func(scan func(...any) error) error {
		var t removal
		err := scan((*gocql.UUID)(&t.mailbox), (*gocql.UUID)(&t.message), &t.at)
		rows = append(rows, t)
		return err
	})
	if level == gocql.All {
		o, err = r.tally.proof(ctx, st, err)
	} else {
		o, err = r.tally.failed(ctx, st, err)
	}
	return rows, next, o, err
}

// workOff does what some removals are waiting for, but for those that are young, and returns for
// each what was in the way.
func (r *sweeper) workOff(ctx context.Context, rows []removal) (obstacles []*obstacle, err error) {
	byMessage := map[mail.MessageID][]int{}
	var ids []mail.MessageID
	for i, t := range rows {
		if !r.young(t) {
			byMessage[t.message] = append(byMessage[t.message], i)
			ids = append(ids, t.message)
		}
	}
	contents, unread, err := r.contents(ctx, ids)
	if err != nil {
		return nil, err
	}
	// All mailboxes of these contents: whoever still has a row keeps the content.
	alive, unproven, err := r.aliveRows(ctx, contents)
	if err != nil {
		return nil, err
	}
	obstacles = make([]*obstacle, len(rows))
	err = atOnce(ctx, parallelProofs, distinct(ids), func(ctx context.Context, id mail.MessageID) error {
		o := unread[id]
		if o == nil {
			o = unproven[id]
		}
		c, exists := contents[id]
		if o == nil && exists {
			var by []mail.MailboxID
			for _, i := range byMessage[id] {
				by = append(by, rows[i].mailbox)
			}
			var err error
			if o, err = r.giveUp(ctx, id, c, by, alive[id]); err != nil {
				return err
			}
		}
		for _, i := range byMessage[id] {
			obstacles[i] = o
		}
		return nil
	})
	return obstacles, err
}

// giveUp notes that some mailboxes removed a content, of which some mailboxes still have a row. If
// nobody needs the content any more it goes.
//
// Those who work off the removals of the last two mailboxes at the same time may each miss what
// the other notes. So each reads again at ALL what is noted, after noting: then the later one
// sees both.
func (r *sweeper) giveUp(ctx context.Context, id mail.MessageID, c stored, by, alive []mail.MailboxID) (*obstacle, error) {
	var noted bool
	for _, mailbox := range by {
		if slices.Contains(alive, mailbox) || slices.Contains(c.removed, mailbox) {
			continue // the removal was given up behind the trash row, or was noted before
		}
		c.removed = append(c.removed, mailbox)
		if len(alive) == 0 && c.unwanted() {
			break
		}
		err := r.noteRemoved(ctx, id, mailbox)
		if o, err := r.tally.failed(ctx, statement{}, err); o != nil || err != nil {
			return o, err
		}
		noted = true
	}
	if len(alive) > 0 {
		return nil, nil
	}
	if noted && !c.unwanted() {
		again, o, err := r.content(ctx, id)
		if o != nil || err != nil || again == nil {
			return o, err
		}
		c = *again
	}
	if !c.unwanted() {
		return nil, nil
	}
	return r.tally.failed(ctx, statement{}, r.remove(ctx, id, c))
}

// unwanted reports whether all mailboxes of a content were worked off.
func (c stored) unwanted() bool {
	return !slices.ContainsFunc(c.recipients, func(m mail.MailboxID) bool { return !slices.Contains(c.removed, m) })
}

// noteRemoved adds a mailbox to those that were worked off.
func (r *sweeper) noteRemoved(ctx context.Context, id mail.MessageID, mailbox mail.MailboxID) error {
	return r.exec(ctx, statement{
		cql:         addRemoved,
		values:      []any{id.Micros(), []gocql.UUID{gocql.UUID(mailbox)}, gocql.UUID(id), 0},
		consistency: gocql.LocalQuorum,
		what:        "sweep: note a removal",
	})
}
