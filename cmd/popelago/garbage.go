package main

import "runtime"

// headroom is how much garbage may gather on top of what the collector would wait for, in
// octets.
const headroom = 24 << 20

// giveHeadroom lets the garbage collector of a server run less often, until the returned
// function is called.
//
// The collector runs whenever the heap has grown to twice what was alive. A server that is
// busy keeps little and throws much away, so it would run a dozen times a second and take a
// sixth of the server's time. Octets that are alive, but never touched, put that off at a
// known price: at most headroom more memory, however large the heap is. GOGC and GOMEMLIMIT
// keep their meaning.
func giveHeadroom() (end func()) {
	untouched := make([]byte, headroom)
	return func() { runtime.KeepAlive(untouched) }
}
