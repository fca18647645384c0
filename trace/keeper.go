package trace

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
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

	buffer *event.Buffer
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
	k := &Keeper{cfg: cfg, store: st.Journal.Local, trouble: rate.Sometimes{First: 1, Interval: time.Minute}}
	var err error
	if k.metrics, err = newMetrics(reg, func() float64 { return float64(k.buffer.Waiting()) }); err != nil {
		return nil, err
	}
	k.buffer = event.NewBuffer(event.BufferConfig{
		Place: cfg.Place, Waiting: cfg.Waiting, FlushEvery: cfg.FlushEvery, FlushEvents: cfg.FlushEvents, Write: k.write,
		Dropped: func(reason string) { k.metrics.dropped.WithLabelValues(reason).Inc() },
	})
	return k, nil
}

// Enabled reports whether any journal is kept.
func (k *Keeper) Enabled() bool { return k.cfg.Trace.Enabled || k.cfg.Audit.Enabled }

// Required reports whether logins, retrievals and accesses have to wait for Record.
func (k *Keeper) Required() bool { return k.cfg.Required && k.cfg.Audit.Enabled }

// Happened implements event.Listener.
func (k *Keeper) Happened(e event.Event) {
	if k.Enabled() {
		k.buffer.Happened(e)
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
func (k *Keeper) Close(ctx context.Context) { k.buffer.Close(ctx) }

// Flush writes the events that wait now, and returns when they are written or dropped, or at the end of ctx.
func (k *Keeper) Flush(ctx context.Context) { k.buffer.Flush(ctx) }

// newRow returns the row of an event without a key.
func newRow(e event.Event) store.Record {
	r := store.Record{At: e.Time.Truncate(time.Microsecond), Data: event.Encode(e)}
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
func (k *Keeper) write(ctx context.Context, events []event.Event) {
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
		k.writeBatch(ctx, traces)
		k.writeBatch(ctx, audits)
	}
}

// writeBatch writes one batch, several times if necessary.
func (k *Keeper) writeBatch(ctx context.Context, b batch) {
	if b.events == 0 {
		return
	}
	var err error
	for try := range k.cfg.Tries {
		if try > 0 && !event.Pause(ctx, min(time.Second<<(try-1), k.cfg.Timeout)) {
			break
		}
		writing, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
		err = k.store.AddRecords(writing, b.journal, b.rows, b.keep)
		cancel()
		if err == nil {
			k.metrics.written.WithLabelValues(string(b.journal)).Add(float64(b.events))
			return
		}
		if errors.Is(err, store.ErrClosed) {
			break
		}
	}
	reason := event.DropFailed
	if ctx.Err() != nil {
		reason = event.DropStopped
	}
	k.metrics.dropped.WithLabelValues(reason).Add(float64(b.events))
	k.trouble.Do(func() {
		k.cfg.Logger.Warn("events could not be recorded: trace and audit lack them, mail is not affected", "journal", string(b.journal), "events", b.events, "cause", err)
	})
}
