package store_test

import (
	"testing"
	"time"

	"popelago/store"
)

// A run goes on behind any number of failures that come at once beside a success. Failures of all parts, and failures that
// take long, end the run.
func TestEndurance(t *testing.T) {
	for name, c := range map[string]struct {
		success bool // at the beginning
		took    time.Duration
		ends    bool
	}{
		"all parts":  {false, 0, true},
		"some parts": {true, 0, false},
		"slow parts": {true, 5 * time.Second, true},
	} {
		var e store.Endurance
		if c.success {
			e.Note(nil, 0)
		}
		n := 1
		for n < 1000 && e.Note(store.ErrUnavailable, c.took) {
			n++
		}
		if want := map[bool]int{true: 100, false: 1000}[c.ends]; n != want {
			t.Errorf("%s: ended after %d failures, want %d", name, n, want)
		}
	}
}
