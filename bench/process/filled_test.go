package process_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"popelago/bench/process"
)

// The table shows the medians, and the ratio of the empty to the full store.
func TestWriteFilled(t *testing.T) {
	var b strings.Builder
	err := process.WriteFilled(&b, []process.Filled{
		{Start: 50 * time.Millisecond, Rates: process.Rates{Deliver: []float64{130, 100, 900}}, Octets: 1e9},
		{Messages: 200, Start: time.Second, Rates: process.Rates{Deliver: []float64{100, 1, 104}}, Memory: 3 << 20},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{
		"| stored messages | 0 | 200 | empty / full | bound |", "| LMTP deliveries/s | 130 | 100 | 1.30 | 1.3 |",
		"| start of the server, ms | 50 | 1000 |  |  |", "| memory of the server after the rounds, MiB | 0 | 3 |  |  |",
	} {
		if !strings.Contains(b.String(), line) {
			t.Errorf("no %q in\n%s", line, b.String())
		}
	}
}

// A server that does not start, or a round that fails, ends the measurement.
func TestMeasureFilledFails(t *testing.T) {
	broken := errors.New("broken")
	fine := func() error { return nil }
	if _, err := process.MeasureFilled(&process.Server{}, 1, func() error { return broken }, nil); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	for failing := range 3 {
		rounds := 0
		_, err := process.MeasureFilled(&process.Server{}, 2, fine, func(*process.Rates) error {
			if rounds++; rounds > failing {
				return broken
			}
			return nil
		})
		if !errors.Is(err, broken) || rounds != failing+1 {
			t.Errorf("%v after %d rounds", err, rounds)
		}
	}
}
