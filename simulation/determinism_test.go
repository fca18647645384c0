package simulation_test

import (
	"slices"
	"testing"

	"popelago/simulation"
)

// TestSameSeedSameStory: two runs with the same seed send the same statements, each at the same moment, and tell the
// same story.
func TestSameSeedSameStory(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, seed := range []uint64{2, 8} {
		cfg := simulation.Shape(seed)
		a, b := run(t, cfg), run(t, cfg)
		for i := range min(len(a.Story), len(b.Story)) {
			if a.Story[i] != b.Story[i] {
				t.Fatalf("seed %d: two stories part in line %d:\n%s\n%s", seed, i, a.Story[i], b.Story[i])
			}
		}
		if a.Hash != b.Hash || a.Statements != b.Statements || !slices.Equal(a.Story, b.Story) {
			t.Errorf("seed %d: two runs differ: %d and %d statements, %d and %d lines", seed, a.Statements, b.Statements, len(a.Story), len(b.Story))
		}
		if a.Retrieved == 0 || a.Faults == 0 {
			t.Errorf("seed %d: nothing happened: %+v", seed, a.Tally)
		}
	}
}
