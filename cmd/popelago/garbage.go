package main

import "runtime"

// headroom is the garbage, in octets, that may accumulate beyond the collector's own limit.
const headroom = 24 << 20

// giveHeadroom lets the garbage collector of a server run less often, until the returned function
// is called.
//
// The collector runs whenever the heap has grown to twice the live octets. A busy server has few
// live octets and much garbage, so the collector would run a dozen times a second and take a sixth
// of the server's time. Live octets that are never touched delay the collector, at a known price:
// at most headroom more memory, however large the heap. GOGC and GOMEMLIMIT keep their meaning.
func giveHeadroom() (end func()) {
	untouched := make([]byte, headroom)
	return func() { runtime.KeepAlive(untouched) }
}
