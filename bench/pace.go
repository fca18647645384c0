package bench

import (
	"context"
	"sync/atomic"
	"time"
)

// pace hands out the work of a run: numbers from 0, at a rate, until a count or a time is
// reached. Safe for concurrent use.
type pace struct {
	start    time.Time
	interval time.Duration // between two numbers; 0 for full speed
	end      time.Time     // zero for none
	count    int64         // 0 for none
	next     atomic.Int64
}

// newPace starts now.
func newPace(rate float64, duration time.Duration, count int64) *pace {
	p := &pace{start: time.Now(), count: count}
	if rate > 0 {
		p.interval = time.Duration(float64(time.Second) / rate)
	}
	if duration > 0 {
		p.end = p.start.Add(duration)
	}
	return p
}

// take waits for the next number and returns it with its due time. ok is false at the end of the
// run. At full speed due is now; at a rate it may be long ago, if the server is too slow: a latency
// measured from due then includes the wait, as a sender feels it.
func (p *pace) take(ctx context.Context) (number int64, due time.Time, ok bool) {
	if ctx.Err() != nil {
		return 0, time.Time{}, false
	}
	number = p.next.Add(1) - 1
	if p.count > 0 && number >= p.count {
		return 0, time.Time{}, false
	}
	now := time.Now()
	if p.interval == 0 {
		return number, now, p.end.IsZero() || now.Before(p.end)
	}
	due = p.start.Add(time.Duration(number) * p.interval)
	if !p.end.IsZero() && !due.Before(p.end) {
		return 0, time.Time{}, false
	}
	if wait := due.Sub(now); wait > 0 && !sleep(ctx, wait) {
		return 0, time.Time{}, false
	}
	// With a time limit as well, a slow server must not make the run longer.
	return number, due, p.end.IsZero() || time.Now().Before(p.end)
}

// total returns the total of numbers, 0 if unknown.
func (p *pace) total() int64 {
	switch {
	case p.count > 0:
		return p.count
	case p.interval > 0 && !p.end.IsZero():
		return int64(p.end.Sub(p.start) / p.interval)
	}
	return 0
}

// sleep waits for d; it returns false if ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// redial calls dial until it succeeds, for at most patience; then it returns the last error. Zero
// patience means one call. Errors followed by another call go to failed.
func redial(ctx context.Context, patience time.Duration, dial func() error, failed func(error)) error {
	const first, last = 10 * time.Millisecond, 500 * time.Millisecond
	deadline := time.Now().Add(patience)
	for wait := first; ; wait = min(wait*2, last) {
		err := dial()
		if err == nil || ctx.Err() != nil || time.Now().Add(wait).After(deadline) {
			return err
		}
		failed(err)
		if !sleep(ctx, wait) {
			return err
		}
	}
}
