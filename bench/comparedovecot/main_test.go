package main

import (
	"strings"
	"testing"
)

// The engine's rate is found in the output of "go test -bench".
func TestNanoseconds(t *testing.T) {
	const out = "goos: linux\nBenchmarkDeliver/8KiB/16-2  \t   41054\t     196801 ns/op\t  41.63 MB/s\nPASS\n"
	if m := nanoseconds.FindStringSubmatch(out); m == nil || m[1] != "196801" {
		t.Errorf("found %v", m)
	}
	if nanoseconds.MatchString(strings.ReplaceAll(out, "8KiB", "64KiB")) {
		t.Error("the benchmark of another size was taken for ours")
	}
}
