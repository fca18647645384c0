package bench

import (
	"math"
	"math/bits"
	"time"
)

// Histogram buckets: values below subBuckets nanoseconds have one bucket each; above, every power
// of two is cut into subBuckets/2 equal parts, so that a bucket is at most 1/32 wide.
const (
	subBits     = 6
	subBuckets  = 1 << subBits
	halfBuckets = subBuckets / 2
	buckets     = subBuckets + (63-subBits)*halfBuckets
)

// histogram counts durations in fixed buckets. Its size does not depend on the number of values.
// The zero value is empty. One goroutine adds; merge after the end of all.
type histogram struct {
	counts [buckets]uint64
	n      uint64
	max    time.Duration
}

// bucketOf returns the index of the bucket of v.
func bucketOf(v uint64) int {
	if v < subBuckets {
		return int(v)
	}
	shift := bits.Len64(v) - subBits // at least 1; v>>shift is in [halfBuckets, subBuckets)
	return subBuckets + (shift-1)*halfBuckets + int(v>>shift) - halfBuckets
}

// bucketTop returns the largest value of bucket i.
func bucketTop(i int) uint64 {
	if i < subBuckets {
		return uint64(i)
	}
	i -= subBuckets
	shift := i/halfBuckets + 1
	return (uint64(i%halfBuckets+halfBuckets)+1)<<shift - 1
}

// add counts d; a negative d counts as 0.
func (h *histogram) add(d time.Duration) {
	d = max(d, 0)
	h.counts[bucketOf(uint64(d))]++
	h.n++
	h.max = max(h.max, d)
}

// merge adds all counts of o.
func (h *histogram) merge(o *histogram) {
	for i, c := range o.counts {
		h.counts[i] += c
	}
	h.n += o.n
	h.max = max(h.max, o.max)
}

// quantile returns the duration that a share q (0 to 1) of the values does not exceed, at most 1/32
// too high. 0 for an empty histogram.
func (h *histogram) quantile(q float64) time.Duration {
	if h.n == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q*float64(h.n) - 1e-6)) // without the rounding errors of q
	rank = min(max(rank, 1), h.n)
	var seen uint64
	for i, c := range h.counts {
		seen += c
		if seen >= rank {
			return min(time.Duration(bucketTop(i)), h.max)
		}
	}
	return h.max
}

// latency returns the percentiles of a report.
func (h *histogram) latency() Latency {
	return Latency{
		P50: millis(h.quantile(0.50)),
		P95: millis(h.quantile(0.95)),
		P99: millis(h.quantile(0.99)),
		Max: millis(h.max),
	}
}
