package cassandra

import (
	"cmp"
	"context"
	"errors"
	"slices"

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

func (p trashPart) compare(o trashPart) int {
	return cmp.Or(cmp.Compare(p.hour, o.hour), cmp.Compare(p.shard, o.shard), cmp.Compare(p.datacenter, o.datacenter))
}

// visitHour sweeps a partition of the trash if it has work to do, and reports whether no row is left.
// Blocked removals are tried again a window later, if the first obstacle is gone.
func (r *trashRun) visitHour(ctx context.Context, p trashPart, over bool) (complete bool, err error) {
	h := r.state.hour(p)
	switch {
	case !over:
		h = hourState{}
	case h.complete:
		return true, nil
	case h.retry.After(r.now):
		r.addBlocked(h.blocked)
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
	r.addBlocked(h.blocked)
	if !over { // more rows will come
		h = hourState{blocked: h.blocked, obstacle: h.obstacle}
	}
	r.state.setHour(p, h)
	return h.complete, err
}

// emptyHour sweeps one partition of the trash, or the rest that an earlier run left. A partition that
// cannot be read at ALL is read at LOCAL_QUORUM: every row found is a removal, but more rows may exist.
// With errTired the state says where to continue: after the page that was tiring.
func (r *trashRun) emptyHour(ctx context.Context, p trashPart, before hourState) (h hourState, err error) {
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
		obstacles, err := r.sweepRows(ctx, rows)
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

// young reports whether a removal is too young to be swept.
func (r *trashRun) young(t removal) bool {
	return t.at >= r.before || t.message.Micros() >= r.before || r.next > 0 && hourOf(t.at) >= r.next
}

// readTrash reads a page of a partition of the trash.
func (r *trashRun) readTrash(ctx context.Context, p trashPart, level gocql.Consistency, from page) (rows []removal, next page, o *obstacle, err error) {
	st := statement{
		cql: selectTrash, values: []any{p.datacenter, p.hour, p.shard}, consistency: level, what: "sweep: read the trash",
	}
	if err := r.begin(ctx); err != nil {
		return nil, nil, nil, err
	}
	defer r.end()
	next, err = r.run.read(ctx, st, 500, from, func(scan func(...any) error) error {
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

// sweepRows sweeps removals, except for young ones, and returns the obstacle of each; nil: none.
func (r *trashRun) sweepRows(ctx context.Context, rows []removal) (obstacles []*obstacle, err error) {
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
	// Every mailbox of the contents counts: a mailbox that still has a row keeps the content.
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

// giveUp notes that the mailboxes by removed a content; the mailboxes alive still have a row. If no
// mailbox needs the content any more giveUp removes it.
//
// Two servers that sweep the removals of the last two mailboxes at the same time may each miss the
// note of the other. So each reads the notes again at ALL after writing: the later read sees both.
func (r *trashRun) giveUp(ctx context.Context, id mail.MessageID, c stored, by, alive []mail.MailboxID) (*obstacle, error) {
	var noted bool
	for _, mailbox := range by {
		if slices.Contains(alive, mailbox) || slices.Contains(c.removed, mailbox) {
			continue // the removal failed after its trash row, or was noted before
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

// unwanted reports whether all mailboxes of a content were swept.
func (c stored) unwanted() bool {
	return !slices.ContainsFunc(c.recipients, func(m mail.MailboxID) bool { return !slices.Contains(c.removed, m) })
}

// noteRemoved adds a mailbox to the swept mailboxes of a content.
func (r *trashRun) noteRemoved(ctx context.Context, id mail.MessageID, mailbox mail.MailboxID) error {
	return r.run.exec(ctx, statement{
		cql:         addRemoved,
		values:      []any{id.Micros(), []gocql.UUID{gocql.UUID(mailbox)}, gocql.UUID(id), 0},
		consistency: gocql.LocalQuorum,
		what:        "sweep: note a removal",
	})
}
