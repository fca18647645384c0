package process

import (
	"strings"
	"testing"
)

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

func TestWriteRatios(t *testing.T) {
	theirs := Rates{Deliver: []float64{1, 3, 2}, Poll: []float64{5}, RETR: []float64{10}, DELE: []float64{4}}
	ours := Rates{Deliver: []float64{8, 9, 7}, Poll: []float64{5}, RETR: []float64{105}, DELE: []float64{1}}
	var out strings.Builder
	WriteRatios(&out, &theirs, &ours, Wanted{RETR: 10})
	WriteCosts(&out, "the server", &Costs{Deliver: []float64{1}, Poll: []float64{0.5}, RETR: []float64{0.3, 0.1, 0.2}},
		&Costs{Deliver: []float64{0.5}, Poll: []float64{0.1}, RETR: []float64{0.05}})
	for _, want := range []string{"LMTP deliveries/s\t2\t1-3\t8\t7-9\t4.00\t\t\n", "RETR messages/s, pipelined\t10\t\t105\t\t10.50\t10.0\t\n", "\t0.25\t\t\n",
		"core-µs of the server for each delivery\t1000\t\t500\t\t2.00\t\t\n", "RETR\t200\t100-300\t50\t\t4.00\t\t\n"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("no %q in\n%s", want, out.String())
		}
	}
}
