package cassandra

import (
	"testing"
	"time"

	"popelago/store"
)

// While the clock is not trusted a single node with a wrong clock may be the only other clock: its removals
// are neither kept for months, nor put into an hour that was swept long ago alone, and its lists lack no day. The
// trash of both times names a removal.
func TestTimesOfAnUntrustedClock(t *testing.T) {
	const day = 24 * time.Hour
	now := time.Now()
	for _, c := range []struct {
		name    string
		own     time.Duration // distance of the own clock to the true time
		others  time.Duration // of the clocks of the others
		trusted time.Duration // of the clock when it was last trusted, and the time passed since
		never   bool          // the process never trusted its clock
		newest  time.Duration // of the newest message
		want    time.Duration // of the removal, and of its trash
		first   time.Duration // of the earlier trash
		end     time.Duration // of the end of lists
	}{
		{name: "the clock was set ahead", own: 100 * day, newest: -day},
		{name: "the clock was set back", own: -100 * day, newest: -day},
		{name: "the only node is months ahead", others: 100 * day, newest: -day, end: 100 * day},
		{name: "the only node is months behind", others: -100 * day, newest: -day},
		{name: "the only node is a day ahead", others: day, newest: -day, want: day, end: day},
		{name: "the machine slept for two days", own: -2 * day, trusted: -2 * day, newest: -3 * day, first: -2 * day},
		{name: "the machine slept for months", own: -100 * day, trusted: -100 * day, newest: -day, first: -day},
		{name: "the machine slept for months, and removes old messages", own: -100 * day, trusted: -100 * day, newest: -50 * day, first: -lateTrash},
		{name: "a start with a clock that is months ahead", own: 100 * day, never: true, newest: -day, end: 100 * day},
		{name: "a start with a clock that is years ahead", own: 10_000 * day, never: true, newest: -day, end: farAhead},
		{name: "a start with a clock that is months behind", own: -100 * day, never: true, newest: -day, first: -day},
		{name: "a start, and the only node is months ahead", others: 100 * day, never: true, newest: -day, end: 100 * day},
		{name: "a start, and the only node is hours behind", others: -5 * time.Hour, never: true, newest: -day, first: -5 * time.Hour},
		{name: "a start, and the only node is hours ahead", others: 5 * time.Hour, never: true, newest: -day, want: 5 * time.Hour, end: 5 * time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := &clockWatch{cfg: Config{Now: func() time.Time { return now.Add(c.own) }}, mark: newWatermark(nil, "server")}
			w.last.Store(&clockReading{ahead: c.own - c.others, wall: w.wall(), at: now})
			if !c.never {
				w.trusted.Store(&clockReading{wall: now.Add(c.trusted).Round(0), at: now})
			}
			near := func(what string, got time.Time, want time.Duration) {
				if d := got.Sub(now.Add(want)); d.Abs() > time.Minute {
					t.Errorf("%s is wrong by %v", what, d)
				}
			}
			if w.Clock() == nil {
				t.Fatal("the clock is trusted")
			}
			removal := w.removalTime(now.Add(c.newest))
			near("the time of the removal", removal.at, c.want)
			near("the time of its trash", removal.last, c.want)
			near("the time of its earlier trash", removal.first, c.first)
			end, err := w.endOfTime()
			if err != nil {
				t.Fatal(err)
			}
			near("the end of lists", end, c.end)
		})
	}
}

// A trusted clock is the time of removals; their trash follows the cluster.
func TestRemovalTimeOfATrustedClock(t *testing.T) {
	now := time.Now()
	w := &clockWatch{cfg: Config{Now: func() time.Time { return now }}, mark: newWatermark(nil, "server")}
	w.believe(&clockReading{ahead: -store.MaxClockSkew / 2, wall: w.wall(), at: now})
	if w.trusted.Load() == nil {
		t.Error("the clock is trusted, and nobody noted it")
	}
	r := w.removalTime(now.Add(-time.Hour))
	if !r.at.Equal(now) || r.last.Sub(now.Add(store.MaxClockSkew/2)).Abs() > time.Minute || r.first != r.last {
		t.Errorf("the removal has the time %v, its trash %v and %v, at %v", r.at, r.first, r.last, now)
	}
}
