package main

import (
	"runtime"
	"runtime/metrics"
	"testing"
)

// The collector waits for at least as much garbage as the headroom is meant to hold.
func TestHeadroom(t *testing.T) {
	goal := func() uint64 {
		runtime.GC()
		sample := []metrics.Sample{{Name: "/gc/heap/goal:bytes"}, {Name: "/gc/heap/live:bytes"}}
		metrics.Read(sample)
		return sample[0].Value.Uint64() - sample[1].Value.Uint64()
	}
	before := goal()
	end := giveHeadroom()
	with := goal()
	end()
	if with < headroom || with < before {
		t.Errorf("%d octets of garbage may gather, %d without headroom: want at least %d", with, before, headroom)
	}
}
