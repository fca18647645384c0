package simulation_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/simulation"
)

const (
	// sameRuns bounds the runs of a seed. On a busy machine the Go runtime interrupts goroutines that run for 10 ms, and
	// stories may part; so two equal runs among them are enough.
	sameRuns = 30
	// sameLength is the time with clients and faults: the longer a story, the more often it parts.
	sameLength = 40 * time.Minute
)

// TestSameSeedSameStory: two runs with the same seed send the same statements, each at the same moment, and tell the
// same story.
func TestSameSeedSameStory(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, seed := range []uint64{2, 8} {
		cfg := simulation.Shape(seed)
		cfg.Length = sameLength
		cfg.Faults = slices.DeleteFunc(cfg.Faults, func(f simulation.Fault) bool { return f.At > sameLength })
		runs := []simulation.Result{run(t, cfg)}
		if first := runs[0]; first.Retrieved == 0 || first.Faults == 0 {
			t.Errorf("seed %d: nothing happened: %+v", seed, first.Tally)
		}
		for {
			again := run(t, cfg)
			if slices.ContainsFunc(runs, func(r simulation.Result) bool { return parted(r, again) == "" }) {
				break
			}
			where := parted(runs[0], again)
			if runs = append(runs, again); len(runs) == sameRuns {
				t.Errorf("seed %d: no two of %d runs are equal: %s", seed, sameRuns, where)
				break
			}
			t.Logf("seed %d: run %d parted: %s", seed, len(runs), where)
		}
	}
}

// parted says where two runs part; empty: they are equal.
func parted(a, b simulation.Result) string {
	for i := range min(len(a.Story), len(b.Story)) {
		if a.Story[i] != b.Story[i] {
			return fmt.Sprintf("in line %d:\n%s\n%s", i, a.Story[i], b.Story[i])
		}
	}
	if a.Hash != b.Hash || a.Statements != b.Statements || len(a.Story) != len(b.Story) {
		return fmt.Sprintf("%d and %d statements, %d and %d lines", a.Statements, b.Statements, len(a.Story), len(b.Story))
	}
	return ""
}
