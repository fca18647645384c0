package enginetest

import (
	"fmt"
	"strings"
	"testing"

	"popelago/store/cassandra"
)

// Findings holds the findings of Doctor.
type Findings []cassandra.Finding

// Doctor runs the doctor of the engine.
func Doctor(t testing.TB, cfg cassandra.Config) Findings {
	t.Helper()
	found, err := cassandra.Doctor(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// Say fails the test unless a check has a level, with all texts in its text or hint.
func (f Findings) Say(t testing.TB, level, check string, texts ...string) {
	t.Helper()
	for _, one := range f {
		all := one.Level == level && one.Check == check
		for _, text := range texts {
			all = all && strings.Contains(one.Text+" "+one.Hint, text)
		}
		if all {
			return
		}
	}
	t.Errorf("no %s of %s with %q in %+v", level, check, texts, f)
}

// Printed returns the findings in the form of popelago doctor, without the summary.
func (f Findings) Printed() string {
	var lines strings.Builder
	for _, one := range f {
		fmt.Fprintf(&lines, "%-8s %-12s %s\n", one.Level, one.Check, one.Text)
		if one.Hint != "" {
			fmt.Fprintf(&lines, "%-8s %-12s -> %s\n", "", "", one.Hint)
		}
	}
	return lines.String()
}

// Errors returns the findings of the highest level.
func (f Findings) Errors() Findings {
	var bad Findings
	for _, one := range f {
		if one.Level == cassandra.FindingError {
			bad = append(bad, one)
		}
	}
	return bad
}
