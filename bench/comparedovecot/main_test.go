package main

import (
	"strings"
	"testing"
)

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2}} {
		if got := median(c.in); got != c.want {
			t.Errorf("median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

// The engine's rate is found in what "go test -bench" prints.
func TestNanoseconds(t *testing.T) {
	const out = "goos: linux\nBenchmarkDeliver/8KiB/16-2  \t   41054\t     196801 ns/op\t  41.63 MB/s\nPASS\n"
	if m := nanoseconds.FindStringSubmatch(out); m == nil || m[1] != "196801" {
		t.Errorf("found %v", m)
	}
	if nanoseconds.MatchString(strings.ReplaceAll(out, "8KiB", "64KiB")) {
		t.Error("the benchmark of another size was taken for ours")
	}
}
