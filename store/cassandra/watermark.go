package cassandra

import (
	"context"
	"math"
	"slices"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// watermark holds the time of the newest message id that this server made, in the table watermark and
// thus over restarts. It shows a wrong clock even when all clocks are wrong at once, as after a power
// cut. The turn of clockWatch guards read, raise and lower.
type watermark struct {
	run    *runner
	server string // Config.Server

	issued atomic.Int64 // time of the newest id written by this process, microseconds; zero: none
	high   atomic.Int64 // the column high; math.MinInt64: none

	known   bool  // high was read
	written int64 // timestamp of the row
}

func newWatermark(run *runner, server string) *watermark {
	w := &watermark{run: run, server: encodeText(server)}
	w.high.Store(math.MinInt64)
	return w
}

// note records an id that a message is written under.
func (w *watermark) note(id mail.MessageID) {
	at := id.Micros()
	for {
		old := w.issued.Load()
		if at <= old || w.issued.CompareAndSwap(old, at) {
			return
		}
	}
}

// read reads the row of this server.
func (w *watermark) read(ctx context.Context) error {
	var high, written *int64
	_, err := w.run.readOne(ctx, statement{
		cql: selectWatermark, values: []any{w.server}, consistency: gocql.LocalQuorum,
		what: "read the watermark of this server",
	}, &high, &written)
	if err != nil {
		return err
	}
	w.high.Store(math.MinInt64)
	if high != nil {
		w.high.Store(*high)
	}
	if written != nil {
		w.written = *written
	}
	w.known = true
	return nil
}

// markMemory is the age up to which the watermarks of the other servers show a clock that is behind.
const markMemory = 24 * time.Hour

// othersAgree reports whether the newest watermark of all servers, as far as they can be read, is of the last day by the clock
// wall, and not ahead of wall. Servers that were removed long ago leave older ones.
func (w *watermark) othersAgree(ctx context.Context, wall time.Time) bool {
	marks, err := readRing(ctx, scanWatermarks, scanWatermarksArc, func(ctx context.Context, cql string, values ...any) (found []int64, err error) {
		st := statement{cql: cql, values: values, consistency: gocql.LocalQuorum, what: "read the watermarks of all servers"}
		err = w.run.readAll(ctx, st, 1000, func(scan func(...any) error) error {
			var high *int64
			err := scan(&high)
			if high != nil {
				found = append(found, *high)
			}
			return err
		})
		return found, err
	})
	if len(marks) == 0 || err != nil && !blocks(err) {
		return false
	}
	age := wall.Sub(time.UnixMicro(slices.Max(marks)))
	return age >= -store.MaxClockSkew && age <= markMemory
}

// raise writes the time of the newest id made by this process, if it is above the row. The clock is
// trusted and says now: ids made while the clock was not trusted count as made now.
func (w *watermark) raise(ctx context.Context, now int64) error {
	issued := w.issued.Load()
	high := min(issued, now)
	if issued == 0 || high <= w.high.Load() || !w.known {
		return nil
	}
	return w.write(ctx, high)
}

// lower reads the row and lowers it to the clock wall if it is above. to is zero if the row was not
// above.
func (w *watermark) lower(ctx context.Context, wall func() time.Time) (to time.Time, err error) {
	if err := w.read(ctx); err != nil {
		return time.Time{}, err
	}
	now := wall()
	if w.high.Load() <= micros(now) {
		return time.Time{}, nil
	}
	if err := w.write(ctx, micros(now)); err != nil {
		return time.Time{}, err
	}
	w.issued.Store(0)
	return now, nil
}

// write writes a time. It wins over all times written before.
func (w *watermark) write(ctx context.Context, high int64) error {
	timestamp := max(high, w.written+1)
	err := w.run.exec(ctx, statement{
		cql: insertWatermark, values: []any{w.server, high, timestamp},
		consistency: gocql.LocalQuorum, what: "note the watermark of this server",
	})
	if err == nil {
		w.high.Store(high)
		w.written = timestamp
	}
	return err
}
