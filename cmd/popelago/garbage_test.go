package main

import (
	"fmt"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"

	"popelago/mailtest"
)

// The collector waits for at least as much garbage as the headroom is meant to hold, until the end.
func TestHeadroom(t *testing.T) {
	own := debug.SetGCPercent(100)
	defer debug.SetGCPercent(own)
	end := giveHeadroom()
	mailtest.WaitFor(t, time.Minute, func() error {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		if garbage := sample[0].Value.Uint64() - sample[1].Value.Uint64(); garbage < headroom {
			return fmt.Errorf("%d octets of garbage may gather: want at least %d", garbage, headroom)
		}
		return nil
	})
	end()
	if percent := debug.SetGCPercent(100); percent != 100 {
		t.Errorf("%d percent after the end", percent)
	}
}

// GOGC=off stays off.
func TestHeadroomWithoutCollector(t *testing.T) {
	own := debug.SetGCPercent(-1)
	defer debug.SetGCPercent(own)
	giveHeadroom()()
	if percent := debug.SetGCPercent(-1); percent != -1 {
		t.Errorf("%d percent", percent)
	}
}

// A server with many sessions gets no headroom: twice its live octets are enough.
func TestPercentFor(t *testing.T) {
	const mib = 1 << 20
	for _, test := range []struct {
		own  int
		live uint64
		want int
	}{
		{100, 12 * mib, 300}, {100, 24 * mib, 200}, {100, 32 * mib, 150}, {100, 48 * mib, 100}, {100, 500 * mib, 100}, {50, 24 * mib, 150}, {100, 0, 2500},
	} {
		if got := percentFor(test.own, test.live, test.live); got != test.want {
			t.Errorf("%d percent of %d octets: %d, want %d", test.own, test.live, got, test.want)
		}
	}
}
