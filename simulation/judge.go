package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/account"
	"popelago/mail"
	"popelago/simulation/cluster"
	"popelago/task"
)

// jobs are the background jobs, in the order in which they reclaim space.
var jobs = []string{"purge", "expire", "floor", "reap", "orphans"}

// judge waits until the cluster has recovered, and checks the promises about the end.
func (w *World) judge(ctx context.Context) error {
	w.story.add("all faults have ended")
	for _, s := range w.slots {
		if s.process() == nil {
			if err := w.start(s); err != nil {
				w.story.violated(promiseWork, "%s does not start on a cluster without faults: %v", s.cfg.name, err)
				return nil
			}
		}
	}
	time.Sleep(30 * time.Minute) // hints arrive
	_ = w.repair()
	time.Sleep(2 * w.cfg.Pace.Heartbeat)
	for _, d := range w.given() {
		w.judgeDrop(ctx, d)
	}
	if w.story.failed() {
		return nil
	}
	w.judgeSpace(ctx)
	return nil
}

// given lists the maildrops that the clients have.
func (w *World) given() []*drop {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]*drop(nil), w.offered...)
}

// judgeDrop lists and retrieves a maildrop through one server of each datacenter.
func (w *World) judgeDrop(ctx context.Context, d *drop) {
	lists := map[string][]seen{}
	for i, s := range w.slots {
		if i%w.cfg.Servers != 0 {
			continue
		}
		p := s.process()
		_, drop, err := p.open(ctx, d.address, d.name)
		if err != nil {
			w.story.violated(promiseWork, "the login of %s through %s fails: %v", d.name, p, err)
			return
		}
		all := entries(drop)
		lists[s.cfg.datacenter] = all
		for n, e := range all {
			w.model.note(d, e)
			if !w.retrieve(ctx, p, d, drop, n+1, e) && !w.model.emptied(d, e.uidl) {
				w.story.violated(promiseText, "%s cannot retrieve %s through %s", d.name, e.uidl, p)
			}
		}
		drop.Close()
	}
	w.model.final(d, lists)
}

// note notes a message that only the end has listed.
func (m *model) note(d *drop, e seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if d.unique[e.uidl] == nil {
		d.unique[e.uidl] = &listed{number: -1, size: e.size, removed: map[string]time.Time{}}
	}
}

// rounds is the count of rounds of the jobs after which everything removed is reclaimed: a purge removes what a later
// round reaps.
const rounds = 3

// judgeSpace waits until everything removed may be reclaimed and runs the jobs, until nothing is left or for all
// rounds.
func (w *World) judgeSpace(ctx context.Context) {
	var left []string
	if err := w.judgeUndelete(ctx); err != nil {
		w.story.violated(promiseWork, "%v", err)
		return
	}
	for range rounds {
		ahead, _, err := w.trashAhead()
		if err == nil {
			time.Sleep(ahead + 2*w.cfg.Pace.Window + w.cfg.Pace.Undelete + time.Hour)
			_ = w.repair()
			err = w.runJobs(ctx)
		}
		if err == nil {
			left, err = w.left(ctx)
		}
		if err != nil {
			w.story.violated(promiseWork, "%v", err)
			return
		}
		if len(left) == 0 {
			return
		}
	}
	for _, what := range left {
		w.story.violated(promiseSpace, "%s", what)
	}
}

// maxTrashAhead is the longest time by which a removal may be ahead: see docs/multi-datacenter.md, "Clocks that are wrong".
const maxTrashAhead = 7 * 24 * time.Hour

// trashAhead returns how far the latest removal in the trash is ahead, and the messages of removals that are ahead: a
// server that did not trust its clock may have taken the time of a node that was ahead. The jobs leave such removals
// alone until their time has come.
func (w *World) trashAhead() (ahead time.Duration, removed map[mail.MessageID]bool, err error) {
	trash, err := w.cluster.Rows(keyspace, "trash")
	if err != nil {
		return 0, nil, fmt.Errorf("the trash cannot be read: %w", err)
	}
	removed = map[mail.MessageID]bool{}
	for _, row := range trash {
		at, _ := row.Values["removed_at"].(int64)
		id, _ := row.Values["message"].(gocql.UUID)
		if off := time.Until(time.UnixMicro(at)); off > 0 {
			removed[mail.MessageID(id)] = true
			ahead = max(ahead, off)
		}
	}
	return min(ahead, maxTrashAhead), removed, nil
}

// judgeUndelete checks that the search for orphans leaves the contents of removals that are ahead.
func (w *World) judgeUndelete(ctx context.Context) error {
	ahead, removed, err := w.trashAhead()
	if err != nil || len(removed) == 0 {
		return err
	}
	w.story.add("%d removed messages are ahead by up to %v", len(removed), ahead.Round(time.Second))
	before, err := w.cluster.contents()
	if err != nil {
		return fmt.Errorf("the contents cannot be read: %w", err)
	}
	if err := w.runJob(ctx, "orphans"); err != nil {
		return err
	}
	after, err := w.cluster.contents()
	if err != nil {
		return fmt.Errorf("the contents cannot be read: %w", err)
	}
	for _, id := range slices.SortedFunc(maps.Keys(removed), mail.MessageID.Compare) {
		if before[id] && !after[id] {
			w.story.violated(promiseUndelete, "the trash names message %s, whose content is gone", id)
		}
	}
	return nil
}

// runJobs runs every job on every server.
func (w *World) runJobs(ctx context.Context) error {
	for _, name := range jobs {
		if err := w.runJob(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

// runJob runs a job on every server.
func (w *World) runJob(ctx context.Context, name string) error {
	for _, s := range w.slots {
		status, err := s.process().tasks.Run(ctx, name)
		w.story.add("job %s on %s: %v %v", name, s.cfg.name, status.Result, status.Report)
		if err != nil || status.Result != task.ResultOK {
			return errors.Join(fmt.Errorf("the job %s on %s is %s", name, s.cfg.name, status.Result), err, status.Err)
		}
	}
	return nil
}

// left lists the contents that no maildrop lists, and the trash.
func (w *World) left(ctx context.Context) ([]string, error) {
	kept := map[mail.MessageID]bool{}
	for _, d := range w.given() {
		ids, err := w.slots[0].process().idsOf(ctx, d)
		if err != nil {
			return nil, fmt.Errorf("%s cannot be listed: %w", d.name, err)
		}
		for _, id := range ids {
			kept[id] = true
		}
	}
	if err := w.displaced(ctx, kept); err != nil {
		return nil, fmt.Errorf("the maildrops of displaced accounts cannot be listed: %w", err)
	}
	contents, err := w.cluster.contents()
	if err != nil {
		return nil, fmt.Errorf("the contents cannot be read: %w", err)
	}
	var left []string
	for id := range contents {
		if !kept[id] {
			left = append(left, fmt.Sprintf("content %s is left, which no maildrop lists", id))
		}
	}
	slices.Sort(left)
	trash, err := w.cluster.Rows(keyspace, "trash")
	if err != nil {
		return nil, fmt.Errorf("the trash cannot be read: %w", err)
	}
	trash = slices.DeleteFunc(trash, func(row cluster.Row) bool { return row.Expires }) // see clockWatch.removalTime
	if len(trash) > 0 {
		left = append(left, fmt.Sprintf("%d rows of the trash are left", len(trash)))
	}
	w.story.add("%d messages are kept", len(kept))
	return left, nil
}

// displaced adds the messages of displaced accounts: their mail is kept until their address has no account.
func (w *World) displaced(ctx context.Context, kept map[mail.MessageID]bool) error {
	s := w.slots[0].process()
	return s.directory.RemovedMailboxes(ctx, nil, func(g account.Generation) error {
		if g.Status != account.Displaced {
			return nil
		}
		ids, err := s.ids(ctx, g.Mailbox)
		for _, id := range ids {
			kept[id] = true
		}
		return err
	})
}

// idsOf lists the message ids of a maildrop.
func (s *server) idsOf(ctx context.Context, d *drop) ([]mail.MessageID, error) {
	a, err := s.directory.Account(ctx, d.address)
	if err != nil {
		return nil, err
	}
	return s.ids(ctx, a.Mailbox)
}

// ids lists the message ids of a mailbox.
func (s *server) ids(ctx context.Context, mailbox mail.MailboxID) ([]mail.MessageID, error) {
	var ids []mail.MessageID
	var after mail.MessageID
	for {
		rows, more, err := s.store.Mail.Each.ListMessages(ctx, mailbox, after, 1000)
		if err != nil {
			return nil, err
		}
		for _, row := range rows {
			ids = append(ids, row.ID)
			after = row.ID
		}
		if !more {
			return ids, nil
		}
	}
}
