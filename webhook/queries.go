package webhook

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/event"
	"popelago/store"
)

// Queue lists the events of the queue, and replays them. Safe for concurrent use.
type Queue struct {
	cfg    Config
	store  store.Levels[store.Journal]
	upkeep store.Upkeep
	outbox *Outbox // may be nil
}

// NewQueue makes a Queue. The events that wait in outbox are written before an answer; nil: no outbox.
func NewQueue(cfg Config, st store.Store, outbox *Outbox) *Queue {
	return &Queue{cfg: cfg.filled(), store: st.Journal, upkeep: st.Upkeep.Local, outbox: outbox}
}

// Enabled reports whether there is a queue, and for how long it keeps events.
func (q *Queue) Enabled() (bool, time.Duration) { return q.cfg.Enabled, q.cfg.Keep }

// Datacenter returns the local datacenter.
func (q *Queue) Datacenter() string { return q.cfg.Place.Datacenter }

// Entry is an event of the queue.
type Entry struct {
	// ID is the id that the webhooks get.
	ID string
	// Queued is the time of the row.
	Queued time.Time
	event.Event
}

// Range bounds a list.
type Range struct {
	// Since and Until bound the times of the rows, Since included, Until excluded. Zero: the oldest row, and
	// the end.
	Since, Until time.Time
	// Limit bounds the entries.
	Limit int
}

// List holds entries, the newest first.
type List struct {
	Entries []Entry
	// More: there are earlier entries.
	More bool
	// Partial: a datacenter could not be asked, and its newest entries may be missing.
	Partial bool
	// Damaged counts the rows that were read and cannot be decoded. Entries has none of them.
	Damaged int
}

// datacenters returns the datacenters with servers, the local one first.
func (q *Queue) datacenters(ctx context.Context) []string {
	all := []string{q.cfg.Place.Datacenter}
	servers, _ := q.upkeep.Servers(ctx) // with an error: the servers known before
	for _, s := range servers {
		if !slices.Contains(all, s.Datacenter) {
			all = append(all, s.Datacenter)
		}
	}
	return all
}

// flushPatience bounds the wait of an answer for events of this server.
const flushPatience = 2 * time.Second

// List returns events of all datacenters, for which may returns true. Errors: those of package store.
func (q *Queue) List(ctx context.Context, in Range, may func(event.Event) bool) (List, error) {
	if q.outbox != nil {
		flushing, cancel := context.WithTimeout(ctx, flushPatience)
		q.outbox.Flush(flushing)
		cancel()
	}
	w := q.store.Wide()
	heads := map[string]store.Position{} // by the name of the mark
	for _, datacenter := range q.datacenters(ctx) {
		err := w.Read(func(j store.Journal) error {
			marks, err := j.Marks(ctx, headList(datacenter))
			for _, m := range marks {
				heads[m.Name] = m.Position
			}
			return err
		})
		if err != nil {
			return List{}, err
		}
	}
	first := hourOf(q.cfg.Place.Now().Add(-q.cfg.Keep)) - 25
	if !in.Since.IsZero() {
		first = max(first, hourOf(in.Since))
	}
	last := -1
	for _, head := range heads {
		last = max(last, hourOf(head.At))
	}
	if !in.Until.IsZero() {
		last = min(last, hourOf(in.Until))
	}
	out := List{}
	for hour := last; hour >= first && !out.More; hour-- {
		entries, damaged, err := q.hour(ctx, w, heads, hour, in, may)
		if err != nil {
			return List{}, err
		}
		out.Entries, out.Damaged = append(out.Entries, entries...), out.Damaged+damaged
		if len(out.Entries) > in.Limit {
			out.Entries, out.More = out.Entries[:in.Limit], true
		}
	}
	out.Partial = w.Partial()
	return out, nil
}

// hour returns the entries of an hour, the newest first, and the number of damaged rows. There may be more entries than
// the limit.
func (q *Queue) hour(ctx context.Context, w *store.Wide[store.Journal], heads map[string]store.Position, hour int, in Range, may func(event.Event) bool) (entries []Entry, damaged int, err error) {
	var mu sync.Mutex
	var reads errgroup.Group
	reads.SetLimit(atOnce)
	for name, head := range heads {
		lane, part, ok := parsePart(name)
		if !ok || hourOf(head.At) < hour || hourOf(bornOf(lane)) > hour {
			continue
		}
		reads.Go(func() error {
			some, bad, err := q.lane(ctx, w, lane, part, hour, in, may)
			mu.Lock()
			defer mu.Unlock()
			entries, damaged = append(entries, some...), damaged+bad
			return err
		})
	}
	err = reads.Wait()
	slices.SortFunc(entries, func(a, b Entry) int { return cmp.Or(b.Queued.Compare(a.Queued), cmp.Compare(b.ID, a.ID)) })
	return entries, damaged, err
}

// lane returns the entries of an hour of a lane, the newest first, one more than the limit at most, and the number of
// damaged rows. One damaged row does not withhold the others.
func (q *Queue) lane(ctx context.Context, w *store.Wide[store.Journal], lane string, part, hour int, in Range, may func(event.Event) bool) (entries []Entry, damaged int, err error) {
	before := store.Record{At: in.Until.Truncate(time.Microsecond)}
	if in.Until.IsZero() {
		before = store.Record{}
	}
	for more := true; more && len(entries) <= in.Limit; {
		var rows []store.Record
		if err := w.Read(func(j store.Journal) (err error) {
			rows, more, err = j.Records(ctx, store.JournalQueue, rowKey(lane, part, hour), store.DayOf(beginOf(hour)), before, min(in.Limit+1, 1000))
			return err
		}); err != nil {
			return nil, 0, err
		}
		for _, r := range rows {
			if before = r; r.At.Before(in.Since) {
				return entries, damaged, nil
			}
			switch e, err := decode(r); {
			case err != nil:
				damaged++
			case may(e):
				entries = append(entries, Entry{ID: queued{lane: lane, row: r}.eventID(), Queued: r.At, Event: e})
			}
		}
		more = more && len(rows) > 0
	}
	return entries, damaged, nil
}

// Status describes a webhook in a datacenter.
type Status struct {
	Name       string
	Datacenter string
	// Began: the datacenter has sent to the webhook, or is about to.
	Began bool
	// Waiting: events wait.
	Waiting bool
	// Sent is the time of the last event that the webhook has taken; zero: none is known.
	Sent time.Time
	// Oldest is the time before which no event waits; it counts if events wait.
	Oldest time.Time
	// Err is a failure to ask for the datacenter.
	Err error
}

// Statuses returns the state of each webhook in each datacenter.
func (q *Queue) Statuses(ctx context.Context) []Status {
	var all []Status
	for _, t := range q.cfg.Targets {
		for _, datacenter := range q.datacenters(ctx) {
			s := Status{Name: t.Name, Datacenter: datacenter}
			s.Err = q.status(ctx, &s)
			all = append(all, s)
		}
	}
	return all
}

// at returns the journal at the level for the marks of a datacenter.
func (q *Queue) at(datacenter string) store.Journal {
	if datacenter == q.cfg.Place.Datacenter || !q.store.Several {
		return q.store.Local
	}
	return q.store.Each
}

func (q *Queue) status(ctx context.Context, s *Status) error {
	p, err := q.places(ctx, s.Datacenter, s.Name)
	if err != nil || !p.found {
		return err
	}
	s.Began = true
	for part := range parts {
		for lane, head := range p.heads[part] {
			sent, known := p.sent[part][lane]
			if !known {
				sent = beginOfLane(lane)
			} else if sent.At.After(s.Sent) {
				s.Sent = sent.At
			}
			if sent.Compare(head) < 0 && q.kept(head) {
				if s.Waiting = true; s.Oldest.IsZero() || sent.At.Before(s.Oldest) {
					s.Oldest = sent.At
				}
			}
		}
	}
	return nil
}

// kept reports whether rows at a head may exist.
func (q *Queue) kept(head store.Position) bool {
	return q.cfg.Place.Now().Sub(head.At) < q.cfg.Keep+24*time.Hour
}

// places holds the positions of a webhook in a datacenter.
type places struct {
	epoch       epoch
	found       bool // the epoch
	heads, sent [parts]map[string]store.Position
}

func (q *Queue) places(ctx context.Context, datacenter, hook string) (p places, err error) {
	j := q.at(datacenter)
	if p.epoch, p.found, err = readEpoch(ctx, j, datacenter, hook); err != nil || !p.found {
		return p, err
	}
	if p.heads, err = marksOf(ctx, j, headList(datacenter)); err != nil {
		return p, err
	}
	p.sent, err = marksOf(ctx, j, sentList(datacenter, hook, p.epoch))
	return p, err
}

// Replay makes a webhook get all events again from a moment on, in one datacenter, or in each for "". skip: events
// before the moment that wait are not sent any more; otherwise they are sent, too. Errors: ErrNoWebhook,
// ErrDatacenter, those of package store.
func (q *Queue) Replay(ctx context.Context, hook, datacenter string, from time.Time, skip bool) (datacenters []string, err error) {
	if !slices.ContainsFunc(q.cfg.Targets, func(t Target) bool { return t.Name == hook }) {
		return nil, fmt.Errorf("%w: %q", ErrNoWebhook, hook)
	}
	known := q.datacenters(ctx)
	if datacenter != "" {
		if !slices.Contains(known, datacenter) {
			return nil, fmt.Errorf("%w: %q is none of %s", ErrDatacenter, datacenter, strings.Join(known, ", "))
		}
		known = []string{datacenter}
	}
	for _, datacenter := range known {
		if err := q.replay(ctx, hook, datacenter, from, skip); err != nil {
			return datacenters, fmt.Errorf("webhook: replay %s in datacenter %q: %w", hook, datacenter, err)
		}
		datacenters = append(datacenters, datacenter)
	}
	return datacenters, nil
}

// replay begins an epoch: first its positions, then its number, which makes them count.
func (q *Queue) replay(ctx context.Context, hook, datacenter string, from time.Time, skip bool) error {
	p, err := q.places(ctx, datacenter, hook)
	if err != nil {
		return err
	}
	heads := p.heads
	if !p.found {
		if heads, err = marksOf(ctx, q.at(datacenter), headList(datacenter)); err != nil {
			return err
		}
	}
	before := store.Position{At: from.Truncate(time.Microsecond).Add(-time.Microsecond)}
	var marks []store.Mark
	for part := range parts {
		for lane := range heads[part] {
			at, known := p.sent[part][lane]
			if !known {
				at = beginOfLane(lane)
			}
			if skip || !p.found || before.Compare(at) < 0 {
				at = before
			}
			marks = append(marks, store.Mark{Name: partName(lane, part), Position: at})
		}
	}
	return p.epoch.replayEpoch(q.cfg.Place.Now()).begin(ctx, q.at(datacenter), q.cfg, datacenter, hook, marks)
}
