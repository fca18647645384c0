package process

import "testing"

func TestMedian(t *testing.T) {
	for _, c := range []struct {
		in   []float64
		want float64
	}{{nil, 0}, {[]float64{5}, 5}, {[]float64{9, 1, 5}, 5}, {[]float64{4, 1, 3, 2}, 2}} {
		if got := Median(c.in); got != c.want {
			t.Errorf("Median(%v) = %v, want %v", c.in, got, c.want)
		}
	}
}

func TestSpan(t *testing.T) {
	if got := Span([]float64{2.4, 3.6, 1}); got != "1-4" {
		t.Errorf("Span = %q, want 1-4", got)
	}
	if got := Span([]float64{2}); got != "" {
		t.Errorf("Span of one value = %q, want nothing", got)
	}
}
