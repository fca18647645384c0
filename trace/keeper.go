package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"popelago/defaults"
	"popelago/event"
	"popelago/store"
)

var (
	_ event.Listener = (*Keeper)(nil)
	_ event.Recorder = (*Keeper)(nil)
)

// Keeper writes records of events, beside the path of mail. See New.
type Keeper struct {
	cfg     Config
	store   store.Journal
	metrics *metrics
	trouble rate.Sometimes // of the log

	writer sync.WaitGroup
	ctx    context.Context // of the writes
	cancel context.CancelFunc
	wake   chan struct{} // enough events wait, or the keeper closes

	mu      sync.Mutex
	waiting []event.Event
	spare   []event.Event // written, for the next round
	closed  bool
	last    time.Time     // of an event, see orderedLocked
	taken   uint64        // events that waited so far
	done    uint64        // events of these that were written or dropped
	moved   chan struct{} // closed when done grows
}

// New makes a Keeper and registers its metrics with reg, which may be nil. Close must follow.
func New(cfg Config, st store.Store, reg prometheus.Registerer) (*Keeper, error) {
	cfg = defaults.Fill(cfg, DefaultConfig())
	def := DefaultConfig()
	cfg.Trace, cfg.Audit = defaults.Fill(cfg.Trace, def.Trace), defaults.Fill(cfg.Audit, def.Audit)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Place.Now == nil {
		cfg.Place.Now = time.Now
	}
	k := &Keeper{cfg: cfg, store: st.Journal.Local, wake: make(chan struct{}, 1), moved: make(chan struct{}), trouble: rate.Sometimes{First: 1, Interval: time.Minute}}
	var err error
	if k.metrics, err = newMetrics(reg, k.count); err != nil {
		return nil, err
	}
	k.ctx, k.cancel = context.WithCancel(context.Background())
	k.writer.Go(k.run)
	return k, nil
}

// Enabled reports whether any journal is kept.
func (k *Keeper) Enabled() bool { return k.cfg.Trace.Enabled || k.cfg.Audit.Enabled }

// Required reports whether logins, retrievals and accesses have to wait for Record.
func (k *Keeper) Required() bool { return k.cfg.Required && k.cfg.Audit.Enabled }

// count returns the number of waiting events.
func (k *Keeper) count() float64 {
	k.mu.Lock()
	defer k.mu.Unlock()
	return float64(len(k.waiting))
}

// Happened implements event.Listener.
func (k *Keeper) Happened(e event.Event) {
	if !k.Enabled() {
		return
	}
	untimed := e.Time.IsZero()
	e = k.cfg.Place.Stamp(e)
	k.mu.Lock()
	defer k.mu.Unlock()
	if untimed {
		e.Time = k.orderedLocked(e.Time)
	}
	switch {
	case k.closed:
		k.metrics.dropped.WithLabelValues(reasonStopped).Inc()
		return
	case len(k.waiting) >= k.cfg.Waiting:
		k.metrics.dropped.WithLabelValues(reasonFull).Inc()
		return
	}
	k.waiting, k.taken = append(k.waiting, e), k.taken+1
	if len(k.waiting) == k.cfg.FlushEvents {
		k.signal()
	}
}

// orderedLocked returns a time to the microsecond, and a later one for each event: events of one moment keep
// their order.
func (k *Keeper) orderedLocked(at time.Time) time.Time {
	at = at.Truncate(time.Microsecond)
	if ahead := k.last.Sub(at); ahead >= 0 && ahead < time.Second {
		at = k.last.Add(time.Microsecond)
	}
	k.last = at
	return at
}

func (k *Keeper) signal() {
	select {
	case k.wake <- struct{}{}:
	default:
	}
}

// Record implements event.Recorder: it writes the record in the audit at once. The record in the trace waits
// as any other.
func (k *Keeper) Record(ctx context.Context, e event.Event) error {
	e = k.cfg.Place.Stamp(e)
	ctx, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	rows := appendRows(nil, auditKeys(e), newRow(e))
	if err := k.store.AddRecords(ctx, store.JournalAudit, rows, k.cfg.Audit.Keep); err != nil {
		return fmt.Errorf("trace: the required record of %s %s: %w", e.Kind, e.Address, err)
	}
	k.metrics.written.WithLabelValues(string(store.JournalAudit)).Inc()
	e.Recorded = true
	k.Happened(e)
	return nil
}

// Close writes the waiting records, and gives up at the end of ctx. Later events are dropped.
func (k *Keeper) Close(ctx context.Context) {
	k.mu.Lock()
	k.closed = true
	k.mu.Unlock()
	k.signal()
	stop := context.AfterFunc(ctx, k.cancel)
	defer stop()
	k.writer.Wait()
	k.cancel()
}

// run writes events until Close.
func (k *Keeper) run() {
	tick := time.NewTicker(k.cfg.FlushEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-k.wake:
		}
		for {
			events, closed := k.take()
			if len(events) == 0 && closed {
				return
			}
			if len(events) == 0 {
				break
			}
			k.write(events)
			k.giveBack(events)
		}
	}
}

// take takes the waiting events.
func (k *Keeper) take() (events []event.Event, closed bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	events, k.waiting, k.spare = k.waiting, k.spare, nil
	return events, k.closed
}

// giveBack returns the memory of written events, unless a peak made it large.
func (k *Keeper) giveBack(events []event.Event) {
	clear(events)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.done += uint64(len(events))
	close(k.moved)
	k.moved = make(chan struct{})
	if cap(events) <= 2*k.cfg.FlushEvents {
		k.spare = events[:0]
	}
}

// Flush writes the events that wait now, and returns when they are written or dropped, or at the end of ctx.
func (k *Keeper) Flush(ctx context.Context) {
	k.mu.Lock()
	target := k.taken
	k.mu.Unlock()
	for {
		k.mu.Lock()
		moved, done := k.moved, k.done >= target
		k.mu.Unlock()
		if done {
			return
		}
		k.signal()
		select {
		case <-moved:
		case <-ctx.Done():
			return
		}
	}
}

// newRow returns the row of an event without a key.
func newRow(e event.Event) store.Record {
	r := store.Record{At: e.Time.Truncate(time.Microsecond), Data: encode(e)}
	rand.Read(r.ID[:])
	return r
}

// appendRows appends a row for each key.
func appendRows(rows []store.Record, keys []string, r store.Record) []store.Record {
	for _, r.Key = range keys {
		rows = append(rows, r)
	}
	return rows
}

// batch is the part of some events for one journal.
type batch struct {
	journal store.JournalName
	keep    time.Duration
	rows    []store.Record
	events  int
}

// maxBatch bounds the events of a batch.
const maxBatch = 2000

// write writes the records of events.
func (k *Keeper) write(events []event.Event) {
	for len(events) > 0 {
		some := events[:min(len(events), maxBatch)]
		events = events[len(some):]
		traces := batch{journal: store.JournalTrace, keep: k.cfg.Trace.Keep}
		audits := batch{journal: store.JournalAudit, keep: k.cfg.Audit.Keep}
		for _, e := range some {
			r := newRow(e)
			if keys := traceKeys(e); k.cfg.Trace.Enabled && len(keys) > 0 {
				traces.rows, traces.events = appendRows(traces.rows, keys, r), traces.events+1
			}
			if keys := auditKeys(e); k.cfg.Audit.Enabled && !e.Recorded && len(keys) > 0 {
				audits.rows, audits.events = appendRows(audits.rows, keys, r), audits.events+1
			}
		}
		k.writeBatch(traces)
		k.writeBatch(audits)
	}
}

// writeBatch writes one batch, several times if necessary.
func (k *Keeper) writeBatch(b batch) {
	if b.events == 0 {
		return
	}
	var err error
	for try := range k.cfg.Tries {
		if try > 0 && !k.pause(time.Second<<(try-1)) {
			break
		}
		ctx, cancel := context.WithTimeout(k.ctx, k.cfg.Timeout)
		err = k.store.AddRecords(ctx, b.journal, b.rows, b.keep)
		cancel()
		if err == nil {
			k.metrics.written.WithLabelValues(string(b.journal)).Add(float64(b.events))
			return
		}
		if errors.Is(err, store.ErrClosed) {
			break
		}
	}
	reason := reasonFailed
	if k.ctx.Err() != nil {
		reason = reasonStopped
	}
	k.metrics.dropped.WithLabelValues(reason).Add(float64(b.events))
	k.trouble.Do(func() {
		k.cfg.Logger.Warn("events could not be recorded: trace and audit lack them, mail is not affected", "journal", string(b.journal), "events", b.events, "cause", err)
	})
}

// pause waits between two tries, and returns false at the end of Close.
func (k *Keeper) pause(d time.Duration) bool {
	select {
	case <-time.After(min(d, k.cfg.Timeout)):
		return true
	case <-k.ctx.Done():
		return false
	}
}
