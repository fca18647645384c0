package webhook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/store"
)

// part sends one part of the queue to one webhook, in order. It is used by one goroutine at a time.
type part struct {
	hook   *hook
	number int

	// lanes holds the lanes with a position. Nil: the positions have to be read.
	lanes map[string]*lane
	// pending is the batch of the present request; its repetitions have the same events.
	pending *batch
	// failures counts the failed requests of pending, and next is the time of the following request.
	failures int
	next     time.Time
	// oldest is the time of the first row that waits; zero: none.
	oldest time.Time
	// unsaved holds positions that the store has not taken yet.
	unsaved map[string]store.Position
}

// lane is the place of a part in a lane.
type lane struct {
	// sent is the last row that the webhook has taken.
	sent store.Position
	// hour is the hour of the next row, or an earlier one.
	hour int
	// A lane whose rows do not reach its head is looked at again after a pause: the server died in between.
	head  store.Position
	again time.Time
}

// batch is the content of a request.
type batch struct {
	id   string
	text []byte // nil: all rows are damaged, and nothing is sent
	rows []queued
	// events counts the events in text.
	events int
}

// forget makes the part read the positions before it sends again. A request that failed is no longer the part's.
func (p *part) forget() {
	p.hook.state.left(p.number)
	*p = part{hook: p.hook, number: p.number}
}

// forgetPositions is forget, but for the age of the events that wait.
func (p *part) forgetPositions() { *p = part{hook: p.hook, number: p.number, oldest: p.oldest} }

// mine reports whether this server sends the part.
func (p *part) mine() bool { return p.hook.share.Mine("webhook/" + partName(p.hook.Name, p.number)) }

// begin takes the positions sent, unless the part has its own.
func (p *part) begin(sent map[string]store.Position) {
	if p.lanes != nil {
		return
	}
	p.lanes = map[string]*lane{}
	for name, at := range sent {
		p.lanes[name] = newLane(at)
	}
}

func newLane(sent store.Position) *lane { return &lane{sent: sent, hour: hourOf(sent.At)} }

// maxRound bounds the requests of a part in a round: other parts begin to wait for the round.
const maxRound = 10

// send sends what waits in the lanes with some heads, which were read no earlier than the time asOf.
func (p *part) send(ctx context.Context, heads map[string]store.Position, asOf time.Time) {
	p.forgetLanes(heads)
	for range maxRound {
		if ctx.Err() != nil || p.hook.cfg.Place.Now().Before(p.next) || !p.mine() {
			return
		}
		if p.pending == nil {
			if !p.collect(ctx, heads, asOf) {
				return
			}
		}
		if !p.request(ctx) {
			return
		}
	}
	p.hook.look() // more may wait
}

// forgetLanes forgets lanes whose head is lost: all their events have expired, but for events of the pending batch.
func (p *part) forgetLanes(heads map[string]store.Position) {
	for name := range p.lanes {
		if _, ok := heads[name]; !ok && !p.pending.has(name) {
			delete(p.lanes, name)
		}
	}
}

// has reports whether a row of a lane is in the batch; false for nil.
func (b *batch) has(lane string) bool {
	return b != nil && slices.ContainsFunc(b.rows, func(q queued) bool { return q.lane == lane })
}

// request sends the pending batch once, and reports whether the webhook has taken it.
func (p *part) request(ctx context.Context) bool {
	h := p.hook
	if p.pending.text == nil {
		p.taken()
		return true
	}
	err := h.client.post(h.requests, h.Target, p.pending.id, p.pending.text)
	if h.requests.Err() != nil && err != nil {
		return false
	}
	var refused *refusal
	switch {
	case err == nil:
		h.metrics.requests.WithLabelValues(h.Name, resultTaken).Inc()
		h.metrics.sent.WithLabelValues(h.Name).Add(float64(p.pending.events))
		h.state.taken(p.number)
		p.taken()
		return true
	case errors.As(err, &refused):
		h.metrics.requests.WithLabelValues(h.Name, resultRefused).Inc()
	default:
		h.metrics.requests.WithLabelValues(h.Name, resultFailed).Inc()
	}
	p.failures++
	pause := backOff(p.failures, h.cfg.RetryMax)
	if refused != nil {
		pause = max(pause, min(refused.after, h.cfg.RetryMax))
	}
	p.next = h.cfg.Place.Now().Add(pause)
	h.state.failed(p.number, h.cfg.Place.Now(), err)
	h.checkAge(ctx, p.pending.rows[0].row.At)
	return false
}

// backOff returns the pause after the n-th failure: 1 s, 2 s, 4 s up to most, and up to a quarter less, so that servers do not
// come all at once.
func backOff(n int, most time.Duration) time.Duration {
	pause := min(time.Second<<min(n-1, 20), most)
	return pause - time.Duration(rand.Int64N(int64(pause)/4+1))
}

// taken moves the positions behind the pending batch. A position that the store does not take is written with
// the next one; without both the events are sent again after a change of the sender.
func (p *part) taken() {
	if p.unsaved == nil {
		p.unsaved = map[string]store.Position{}
	}
	for _, q := range p.pending.rows {
		p.lanes[q.lane].sent = q.row.Position()
		p.unsaved[q.lane] = q.row.Position()
	}
	p.pending, p.failures, p.next, p.oldest = nil, 0, time.Time{}, time.Time{}
	h := p.hook
	marks := make([]store.Mark, 0, len(p.unsaved))
	for name, at := range p.unsaved {
		marks = append(marks, store.Mark{Name: partName(name, p.number), Position: at})
	}
	ctx, cancel := context.WithTimeout(h.requests, storePatience) // Close does not end a position half way
	defer cancel()
	err := h.journal.AdvanceMarks(ctx, sentList(h.cfg.Place.Datacenter, h.Name, h.epoch), marks, keepMarks(h.cfg.Keep))
	if err != nil {
		h.state.store(ctx, err)
		return
	}
	p.unsaved = nil
}

// atOnce is the number of lanes that are read at the same time.
const atOnce = 8

// collect makes a pending batch of the first rows that wait in all lanes, and reports whether there is one. Rows that
// settled after asOf wait for the next heads: a lane may have earlier rows, which these heads do not show.
func (p *part) collect(ctx context.Context, heads map[string]store.Position, asOf time.Time) bool {
	h := p.hook
	now := h.cfg.Place.Now()
	var mu sync.Mutex
	var rows []queued
	horizon := time.Time{} // of lanes with further rows; zero: none
	var reads errgroup.Group
	reads.SetLimit(atOnce)
	for name, head := range heads {
		l := p.lanes[name]
		if l == nil {
			l = newLane(beginOfLane(name))
			p.lanes[name] = l
		}
		if l.sent.Compare(head) >= 0 || l.head == head && now.Before(l.again) {
			continue
		}
		reads.Go(func() error {
			some, more, err := p.read(ctx, name, l, head, now)
			mu.Lock()
			defer mu.Unlock()
			for _, r := range some {
				rows = append(rows, queued{lane: name, row: r})
			}
			if n := len(some); more && n > 0 && (horizon.IsZero() || some[n-1].At.Before(horizon)) {
				horizon = some[n-1].At
			}
			if len(some) == 0 && err == nil && now.Sub(head.At) > storePatience {
				l.head, l.again = head, now.Add(time.Minute)
			}
			return err
		})
	}
	if err := reads.Wait(); err != nil {
		if ctx.Err() == nil {
			h.state.store(ctx, err)
		}
		return false
	}
	if h.away() { // since the round began
		return false
	}
	slices.SortFunc(rows, func(a, b queued) int {
		return cmp.Or(a.row.At.Compare(b.row.At), cmp.Compare(a.lane, b.lane))
	})
	p.oldest = time.Time{}
	if len(rows) > 0 {
		p.oldest = rows[0].row.At
		h.checkAge(ctx, p.oldest)
	}
	rows = ready(rows, horizon, asOf, settleOf(h.cfg))
	if rows = rows[:min(len(rows), h.cfg.Batch)]; len(rows) == 0 {
		return false
	}
	events := len(rows)
	text, err := h.client.encodeBody(h.Target, rows, func(q queued, err error) {
		events--
		h.state.damaged(ctx, h, q, err)
	})
	if err != nil {
		h.state.store(ctx, err)
		return false
	}
	sum := sha256.Sum256(text)
	p.pending = &batch{id: "msg_" + hex.EncodeToString(sum[:12]), text: text, rows: rows, events: events}
	return true
}

// checkAge reports an event that waits beyond Config.Keep.
func (h *hook) checkAge(ctx context.Context, oldest time.Time) {
	if h.cfg.Place.Now().Sub(oldest) > h.cfg.Keep {
		h.state.expired(ctx, h, oldest)
	}
}

// settleOf returns the time for which rows wait.
func settleOf(cfg Config) time.Duration {
	if cfg.Alone {
		return 0
	}
	return cfg.Settle
}

// farAhead is the lead of a row's time from which the row does not wait: its server has a wrong clock.
const farAhead = time.Minute

// ready returns the rows that no row of another lane can precede: up to the horizon, and settled at the time asOf. A lane waits behind
// its first row that is not ready; the other lanes do not.
func ready(rows []queued, horizon, asOf time.Time, settle time.Duration) (out []queued) {
	waits := map[string]bool{}
	for _, q := range rows {
		young := settle > 0 && q.row.At.After(asOf.Add(-settle)) && q.row.At.Before(asOf.Add(farAhead))
		switch {
		case waits[q.lane]:
		case young, !horizon.IsZero() && q.row.At.After(horizon):
			waits[q.lane] = true
		default:
			out = append(out, q)
		}
	}
	return out
}

// read returns the first rows of a lane behind the row sent, up to a batch. more: further rows may follow.
func (p *part) read(ctx context.Context, name string, l *lane, head store.Position, now time.Time) (rows []store.Record, more bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	after := store.Record{At: l.sent.At, ID: l.sent.ID}
	if first := hourOf(now.Add(-p.hook.cfg.Keep)) - 25; l.hour < first && first <= hourOf(head.At) {
		l.hour = first
	}
	for hour := l.hour; hour <= hourOf(head.At); hour++ {
		for more = true; more; {
			var page []store.Record
			day := store.DayOf(beginOf(hour))
			page, more, err = p.hook.journal.RecordsAfter(ctx, store.JournalQueue, rowKey(name, p.number, hour), day, after, p.hook.cfg.Batch-len(rows))
			if err != nil {
				return nil, false, err
			}
			if rows = append(rows, page...); len(rows) >= p.hook.cfg.Batch {
				return rows, true, nil
			}
			if len(page) > 0 {
				after = page[len(page)-1]
			}
		}
		switch {
		case hour == hourOf(head.At):
		case len(rows) > 0: // the next hours may be many
			return rows, true, nil
		default:
			l.hour = hour + 1 // a lane writes to no earlier hour than its head
		}
	}
	return rows, false, nil
}
