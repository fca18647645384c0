package bench

import (
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// Every value is within its bucket, and no bucket is wider than 1/32.
func TestHistogramBuckets(t *testing.T) {
	values := []uint64{0, 1, 63, 64, 65, 127, 128, 1<<32 - 1, 1 << 32, 1<<63 - 1}
	for range 10_000 {
		values = append(values, rand.Uint64()>>(1+rand.IntN(62)))
	}
	for _, v := range values {
		i := bucketOf(v)
		if i >= buckets {
			t.Fatalf("bucketOf(%d) = %d, but there are %d buckets", v, i, buckets)
		}
		top := bucketTop(i)
		if top < v || i > 0 && bucketTop(i-1) >= v {
			t.Fatalf("bucketOf(%d) = %d, which holds %d to %d", v, i, bucketTop(i-1)+1, top)
		}
		if v > 0 && float64(top-v) > float64(v)/32+1 {
			t.Fatalf("bucket %d gives %d for %d: more than 1/32 too high", i, top, v)
		}
	}
}

func TestHistogramQuantiles(t *testing.T) {
	var a, b histogram
	var all []time.Duration
	for i := range 10_000 {
		d := time.Duration(rand.Int64N(int64(10 * time.Second)))
		all = append(all, d)
		if i%2 == 0 {
			a.add(d)
		} else {
			b.add(d)
		}
	}
	a.merge(&b)
	slices.Sort(all)
	for _, q := range []float64{0, 0.5, 0.95, 0.99, 1} {
		want := all[max(1, int(q*10_000))-1]
		got := a.quantile(q)
		if got < want || float64(got) > float64(want)*(1+1.0/32)+1 {
			t.Errorf("quantile(%v) = %v, want %v", q, got, want)
		}
	}
	if got, want := a.latency().Max, millis(all[len(all)-1]); got != want {
		t.Errorf("max = %v, want %v", got, want)
	}
	if got := new(histogram).latency(); got != (Latency{}) {
		t.Errorf("empty histogram: %+v", got)
	}
}

// The percentiles of few values are not too low: the 99th of 50 values is the largest.
func TestHistogramQuantilesOfFew(t *testing.T) {
	for _, test := range []struct {
		n, rank int
		q       float64
	}{{1, 1, 0.5}, {2, 1, 0.5}, {3, 2, 0.5}, {4, 2, 0.5}, {10, 10, 0.95}, {20, 19, 0.95}, {21, 20, 0.95}, {50, 50, 0.99}, {100, 99, 0.99}, {101, 100, 0.99}} {
		var h histogram
		for i := range test.n {
			h.add(time.Duration(i + 1)) // small values have buckets of their own
		}
		got, want := h.quantile(test.q), time.Duration(test.rank)
		if got < want || float64(got) > float64(want)*(1+1.0/32)+1 {
			t.Errorf("%v of %d values: value %d, want %d", test.q, test.n, got, want)
		}
	}
}
