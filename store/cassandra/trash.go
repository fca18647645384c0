package cassandra

import (
	"context"
	"fmt"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
)

// emptyTrash works off the hours that are over, from where the last run came to, and once in a
// window the current one, too.
func (r *sweeper) emptyTrash(ctx context.Context) error {
	open := r.now.Sub(r.sweeping.open) >= r.cfg.Window
	for _, datacenter := range r.trashOf() {
		for shard := range trashShards {
			name := trashName(datacenter, shard)
			if !r.Mine(name) {
				r.report.Elsewhere++
				continue
			}
			if err := r.emptyShard(ctx, name, datacenter, shard, open); err != nil {
				return err
			}
		}
	}
	if open {
		r.sweeping.open = r.now
	}
	return nil
}

// trashOf lists the datacenters whose trash the servers of this one work off.
func (s *engine) trashOf() []string {
	return append([]string{s.cfg.Datacenter}, s.cfg.WrittenOff...)
}

// trashName names a shard of the trash where progress is noted and work is shared.
func trashName(datacenter string, shard int) string {
	return fmt.Sprintf("trash/%s/%d", datacenter, shard)
}

func (r *sweeper) emptyShard(ctx context.Context, name, datacenter string, shard int, open bool) error {
	start, err := r.progress(ctx, name)
	if err != nil {
		return err
	}
	next := start
	for hour, done := start, true; hour <= hourOf(r.before); hour++ {
		over := endOf(hour) <= r.before
		if !over && !open {
			break
		}
		complete, err := r.emptyHour(ctx, datacenter, hour, shard)
		if err != nil {
			return err
		}
		if done = done && complete && over; done {
			next = hour + 1
		}
	}
	if next == start {
		return nil
	}
	return r.setProgress(ctx, name, next)
}

// progress reads which hour of a shard comes next. Before the schema was made there was no trash.
func (r *sweeper) progress(ctx context.Context, name string) (int, error) {
	var position *int64
	if _, err := r.readOne(ctx, statement{
		cql: selectProgress, values: []any{name}, consistency: gocql.LocalQuorum, what: "sweep: read progress",
	}, &position); err != nil {
		return 0, err
	}
	if position != nil {
		return int(*position), nil
	}
	if r.sweeping.since.Load() == 0 {
		var first int64
		if err := r.readAll(ctx, statement{
			cql: fmt.Sprintf(selectVersions, r.cfg.Keyspace), consistency: gocql.LocalQuorum, what: "sweep: read the schema's age",
		}, 100, func(scan func(...any) error) error {
			var version int
			var applied int64
			err := scan(&version, &applied)
			if first == 0 || applied < first {
				first = applied
			}
			return err
		}); err != nil {
			return 0, err
		}
		r.sweeping.since.Store(first)
	}
	const skew = time.Hour // of the clock of whoever applied the schema
	return hourOf(r.sweeping.since.Load() - skew.Microseconds()), nil
}

// setProgress notes which hour comes next, with the hour as timestamp, so that it only rises.
func (r *sweeper) setProgress(ctx context.Context, name string, position int) error {
	return r.exec(ctx, statement{
		cql: insertProgress, values: []any{name, int64(position), int64(position)}, consistency: gocql.LocalQuorum,
		what: "sweep: note progress",
	})
}

// removal is a row of the trash.
type removal struct {
	mailbox mail.MailboxID
	message mail.MessageID
	at      int64
}

// emptyHour works off one partition of the trash, and reports whether nothing was left in it.
func (r *sweeper) emptyHour(ctx context.Context, datacenter string, hour, shard int) (complete bool, err error) {
	st := statement{
		cql:         selectTrash,
		values:      []any{datacenter, hour, shard},
		consistency: gocql.All,
		what:        "sweep: read the trash",
	}
	complete = true
	for from := page(nil); ; {
		var due []removal
		young := false
		from, err = r.read(ctx, st, 500, from, func(scan func(...any) error) error {
			var t removal
			if err := scan((*gocql.UUID)(&t.mailbox), (*gocql.UUID)(&t.message), &t.at); err != nil {
				return err
			}
			if t.at < r.before && t.message.Micros() < r.before {
				due = append(due, t)
			} else {
				young = true
			}
			return nil
		})
		if err != nil {
			return false, err
		}
		if err := r.workOff(ctx, due); err != nil {
			return false, err
		}
		if err := r.clear(ctx, datacenter, hour, shard, due, young); err != nil {
			return false, err
		}
		complete = complete && !young
		if from == nil {
			return complete, nil
		}
	}
}

// workOff does what some removals are waiting for.
func (r *sweeper) workOff(ctx context.Context, due []removal) error {
	ids := make([]mail.MessageID, len(due))
	for i, t := range due {
		ids[i] = t.message
	}
	contents, err := r.contents(ctx, ids)
	if err != nil {
		return err
	}
	// All mailboxes of these contents: whoever still has a row keeps the content.
	alive, err := r.aliveRows(ctx, contents)
	if err != nil {
		return err
	}
	for _, t := range due {
		c, exists := contents[t.message]
		if !exists {
			continue
		}
		rows := alive[t.message]
		if slices.Contains(rows, t.mailbox) {
			continue // the removal was given up behind the trash row
		}
		if !slices.Contains(c.removed, t.mailbox) {
			c.removed = append(c.removed, t.mailbox)
		}
		open := func(m mail.MailboxID) bool { return !slices.Contains(c.removed, m) }
		if len(rows) == 0 && !slices.ContainsFunc(c.recipients, open) {
			if err := r.remove(ctx, t.message, c); err != nil {
				return err
			}
			delete(contents, t.message)
			continue
		}
		contents[t.message] = c
		if err := r.noteRemoved(ctx, t); err != nil {
			return err
		}
	}
	return nil
}

// aliveRows reads at ALL which mailboxes still have a row for each of some contents.
func (r *sweeper) aliveRows(ctx context.Context, contents map[mail.MessageID]stored) (map[mail.MessageID][]mail.MailboxID, error) {
	byMailbox := map[mail.MailboxID][]mail.MessageID{}
	for id, c := range contents {
		for _, mailbox := range c.recipients {
			byMailbox[mailbox] = append(byMailbox[mailbox], id)
		}
	}
	alive := map[mail.MessageID][]mail.MailboxID{}
	for mailbox, ids := range byMailbox {
		err := r.alive(ctx, mailbox, ids, func(id mail.MessageID) { alive[id] = append(alive[id], mailbox) })
		if err != nil {
			return nil, err
		}
	}
	return alive, nil
}

// noteRemoved adds a mailbox to those that were worked off.
func (r *sweeper) noteRemoved(ctx context.Context, t removal) error {
	return r.exec(ctx, statement{
		cql:         addRemoved,
		values:      []any{t.message.Micros(), []gocql.UUID{gocql.UUID(t.mailbox)}, gocql.UUID(t.message), 0},
		consistency: gocql.LocalQuorum,
		what:        "sweep: note a removal",
	})
}

// clear takes rows that were worked off out of a partition of the trash, with a timestamp just
// behind theirs, so that one written again later stays. Where they are a whole page that is
// one range, which leaves one tombstone instead of hundreds. A row of that range that arrives
// later still is lost with it; its content is then found as an orphan.
func (r *sweeper) clear(ctx context.Context, datacenter string, hour, shard int, due []removal, young bool) error {
	if len(due) == 0 {
		return nil
	}
	const what = "sweep: clear the trash"
	if !young {
		last := due[len(due)-1]
		return r.exec(ctx, statement{
			cql: clearTrash,
			values: []any{
				behind(due), datacenter, hour, shard, gocql.UUID(last.mailbox), gocql.UUID(last.message),
			},
			consistency: gocql.LocalQuorum,
			what:        what,
		})
	}
	for len(due) > 0 {
		n := slices.IndexFunc(due, func(t removal) bool { return t.mailbox != due[0].mailbox })
		if n < 0 {
			n = len(due)
		}
		ids := make([]mail.MessageID, n)
		for i, t := range due[:n] {
			ids[i] = t.message
		}
		if err := r.exec(ctx, statement{
			cql:         deleteTrash,
			values:      []any{behind(due[:n]), datacenter, hour, shard, gocql.UUID(due[0].mailbox), uuids(ids)},
			consistency: gocql.LocalQuorum,
			what:        what,
		}); err != nil {
			return err
		}
		due = due[n:]
	}
	return nil
}

// behind is the timestamp just behind some removals.
func behind(removals []removal) int64 {
	var last int64
	for _, t := range removals {
		last = max(last, t.at)
	}
	return last + 1
}
