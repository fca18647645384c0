package main

import (
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
)

// headroom is the garbage, in octets, that may accumulate beyond the collector's own limit.
const headroom = 24 << 20

// giveHeadroom lets the garbage collector of a server run less often, until the returned function
// is called.
//
// The collector runs whenever the heap has grown to twice the live octets. A busy server has few
// live octets and much garbage, so the collector would run a dozen times a second and take a sixth
// of the server's time. At most headroom more memory is the price. A server with many sessions has
// more live octets, lets more garbage accumulate without help, and gets less headroom, see extra.
// GOGC and GOMEMLIMIT keep their meaning.
func giveHeadroom() (end func()) {
	own := debug.SetGCPercent(100)
	debug.SetGCPercent(own)
	if own <= 0 { // off, or as often as possible
		return func() {}
	}
	runtime.GC() // without a collection the live octets are not known
	h := &headroomKeeper{own: own, set: own}
	h.adapt()
	return h.end
}

// headroomKeeper adapts the percentage of the collector to the live octets after each collection.
type headroomKeeper struct {
	own int // the percentage without headroom

	mu    sync.Mutex
	set   int // the present percentage
	ended bool
}

// adapt sets the percentage for the live octets of the last collection, and again after the next.
func (h *headroomKeeper) adapt() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.ended {
		return
	}
	sample := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(sample)
	live := sample[0].Value.Uint64()
	percent := percentFor(h.own, live, live+sample[1].Value.Uint64()+sample[2].Value.Uint64())
	if 10*max(percent-h.set, h.set-percent) > h.set { // each change stops the program for a moment
		debug.SetGCPercent(percent)
		h.set = percent
	}
	// The object is garbage at once: the next collection finds it.
	runtime.AddCleanup(new([16]byte), func(h *headroomKeeper) { h.adapt() }, h)
}

// end sets the percentage to its former value.
func (h *headroomKeeper) end() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ended = true
	debug.SetGCPercent(h.own)
}

// extra returns the garbage that may accumulate beyond the collector's own limit: headroom, less with more than
// headroom live octets, and none from twice the headroom on.
func extra(live uint64) uint64 { return min(headroom, 2*headroom-min(live, 2*headroom)) }

// percentFor returns the percentage that lets extra(live) more octets of garbage accumulate than the percentage own.
// scanned are the octets of which the collector takes the percentage.
func percentFor(own int, live, scanned uint64) int {
	return own + int(extra(live)*100/max(scanned, 1<<20))
}
