package webhook

import (
	"context"
	"encoding/binary"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"popelago/event"
	"popelago/store"
)

var _ event.Listener = (*Outbox)(nil)

// Outbox writes events into the queue, beside the path of mail. Safe for concurrent use.
type Outbox struct {
	cfg     Config
	store   store.Journal
	place   store.Place
	clock   func() error // of store.Clocks
	metrics *metrics
	trouble rate.Sometimes // of the log
	buffer  *event.Buffer
	written func() // tells a sender about new rows

	// Of the writer alone.
	lane string
	last time.Time // of a row
}

// NewOutbox makes an Outbox, and registers its metrics with reg, which may be nil. written, which may be nil, is
// called after a write to the queue. Close must follow.
func NewOutbox(cfg Config, st store.Store, reg prometheus.Registerer, written func()) (*Outbox, error) {
	cfg = cfg.filled()
	o := &Outbox{cfg: cfg, store: st.Journal.Local, place: st.Mail.Local, clock: st.Upkeep.Local.Clock, written: written, trouble: rate.Sometimes{First: 1, Interval: time.Minute}}
	var err error
	if o.metrics, err = newMetrics(reg, func() float64 { return float64(o.buffer.Waiting()) }); err != nil {
		return nil, err
	}
	o.buffer = event.NewBuffer(event.BufferConfig{
		Place: cfg.Place, Waiting: cfg.Waiting, FlushEvery: cfg.FlushEvery, FlushEvents: maxFlush, Write: o.write,
		Dropped: func(reason string) { o.metrics.dropped.WithLabelValues(reason).Inc() },
	})
	return o, nil
}

// Happened implements event.Listener. Events of other kinds and domains do not count.
func (o *Outbox) Happened(e event.Event) {
	if o.cfg.Enabled && o.wants(e) {
		o.buffer.Happened(e)
	}
}

func (o *Outbox) wants(e event.Event) bool {
	if !slices.Contains(o.cfg.Kinds, string(e.Kind)) {
		return false
	}
	if len(o.cfg.Domains) == 0 {
		return true
	}
	domain := e.Address[strings.LastIndexByte(e.Address, '@')+1:]
	return slices.Contains(o.cfg.Domains, domain)
}

// Flush writes the events that wait now, and returns when they are written or dropped, or at the end of ctx.
func (o *Outbox) Flush(ctx context.Context) { o.buffer.Flush(ctx) }

// Close writes the waiting events, and gives up at the end of ctx. Later events are dropped.
func (o *Outbox) Close(ctx context.Context) { o.buffer.Close(ctx) }

// maxFlush bounds the rows of a write. The engine writes so many rows of a key at once: a reader sees all of them,
// or none.
const maxFlush = 200

// write writes events into the queue, and tries again until ctx ends: the buffer has the bound.
func (o *Outbox) write(ctx context.Context, events []event.Event) {
	for some := range slices.Chunk(events, maxFlush) {
		pause := 100 * time.Millisecond
		ids := make([][16]byte, len(some)) // the same in each try
		for i := range ids {
			binary.BigEndian.PutUint64(ids[i][:8], rand.Uint64())
			binary.BigEndian.PutUint64(ids[i][8:], rand.Uint64())
		}
		for {
			err := o.add(ctx, some, ids)
			if err == nil {
				break
			}
			if ctx.Err() == nil && !errors.Is(err, store.ErrClosed) {
				o.trouble.Do(func() {
					o.cfg.Logger.Warn("events cannot enter the queue of the webhooks: they wait, mail is not affected", "events", len(some), "cause", err)
				})
				if event.Pause(ctx, pause) {
					pause = min(2*pause, 5*time.Second)
					continue
				}
			}
			o.metrics.dropped.WithLabelValues(event.DropStopped).Add(float64(len(some)))
			break
		}
	}
}

// add writes rows with new times: rows of a failed write may arrive later, behind rows with later times, and do
// not count. The mark of the head is first: a reader looks for the rows, even if this server dies in between.
//
// During a failover the rows would reach the own datacenter in any order, and a position could pass them: the events
// wait, as they do until the clock is trusted for the first time.
func (o *Outbox) add(ctx context.Context, events []event.Event, ids [][16]byte) error {
	ctx, cancel := context.WithTimeout(ctx, storePatience)
	defer cancel()
	if away(o.place, o.cfg) {
		return errAway
	}
	at, err := o.begin(len(events))
	if err != nil {
		return err
	}
	rows := make([]store.Record, len(events))
	heads := map[int]time.Time{}
	for i, e := range events {
		part := partOf(e.Mailbox)
		rows[i] = store.Record{Key: rowKey(o.lane, part, hourOf(at)), At: at, ID: ids[i], Data: encode(e)}
		heads[part], o.last = at, at
		at = at.Add(time.Microsecond)
	}
	marks := make([]store.Mark, 0, parts)
	for part, head := range heads {
		marks = append(marks, store.Mark{Name: partName(o.lane, part), Position: store.Position{At: head}})
	}
	if err := o.store.AdvanceMarks(ctx, headList(o.cfg.Place.Datacenter), marks, keepMarks(o.cfg.Keep)); err != nil {
		return err
	}
	if err := o.store.AddRecords(ctx, store.JournalQueue, rows, o.cfg.Keep); err != nil {
		return err
	}
	if away(o.place, o.cfg) { // perhaps since before the write
		return errAway
	}
	o.metrics.queued.Add(float64(len(events)))
	if o.written != nil {
		o.written()
	}
	return nil
}

// begin returns the time of the first of n rows: later than each row before, with all n in one hour. A clock that is
// not trusted does not count, and begins no lane.
func (o *Outbox) begin(n int) (time.Time, error) {
	now := o.cfg.Place.Now().Truncate(time.Microsecond)
	if o.lane == "" {
		if err := o.clock(); err != nil {
			return now, err
		}
		o.lane = laneName(now, rand.Uint64())
	} else if next := o.last.Add(time.Microsecond); now.Before(next) || o.clock() != nil {
		now = next
	}
	if end := now.Add(time.Duration(n) * time.Microsecond); hourOf(end) != hourOf(now) {
		now = beginOf(hourOf(end))
	}
	return now, nil
}

// errAway: the store has failed over to another datacenter.
var errAway = errors.New("the store has failed over to another datacenter")

// away reports whether the store has failed over to another datacenter.
func away(p store.Place, cfg Config) bool {
	origin := p.Origin()
	return origin != "" && origin != cfg.Place.Datacenter
}

// keepMarks returns the time for which marks are kept: longer than each event.
func keepMarks(keep time.Duration) time.Duration { return 2*keep + 30*24*time.Hour }
