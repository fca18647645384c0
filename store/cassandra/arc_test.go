package cassandra_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/store"
)

// A node returns the same rows arc by arc as at once.
func TestArcsOnANode(t *testing.T) {
	s := open(t, config(t))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	for i := range 30 {
		must(s.AddToken(t.Context(), store.Token{ID: fmt.Sprint("arc", i), Hash: [32]byte{1}, Role: "admin", Created: time.Now()}))
		name := fmt.Sprintf("arc%d.test", i)
		must(s.PutDomain(t.Context(), store.Domain{Name: name, Created: time.Now()}))
		if i%2 == 0 {
			must(s.RemoveDomain(t.Context(), name))
		}
		put(t, s, at(time.Now().Add(-50*time.Hour-time.Duration(i)*time.Second)).ID, 10, mailbox("arc"))
	}
	names := func() (all []string) {
		t.Helper()
		tokens, err := s.ListTokens(t.Context())
		must(err)
		for _, token := range tokens {
			all = append(all, token.ID)
		}
		domains, err := s.ListDomains(t.Context())
		must(err)
		for _, d := range domains {
			all = append(all, d.Name)
		}
		removed, err := s.RemovedDomains(t.Context())
		must(err)
		for _, d := range removed {
			all = append(all, "removed "+d.Name)
		}
		return all
	}
	whole := names()
	s.FailWholeScans()
	if arcs := names(); len(whole) < 60 || !slices.Equal(arcs, whole) {
		t.Errorf("in arcs %q, at once %q", arcs, whole)
	}
	report, err := s.SweepOrphans(t.Context(), time.Now(), time.Now())
	if err != nil || report.Contents != 30 || report.Blocked != 0 {
		t.Errorf("orphans in arcs: %+v, %v", report, err)
	}
}
