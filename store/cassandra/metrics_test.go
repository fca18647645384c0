package cassandra_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/store"
	"popelago/store/cassandra"
)

// Statements are counted by their outcome, and a closed store leaves nothing in the registry.
func TestMetrics(t *testing.T) {
	cfg := config(t)
	apply(t, cfg)
	registry := prometheus.NewRegistry()
	cfg.Registerer = registry
	s, err := cassandra.Open(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		if err := s.PutDomain(t.Context(), store.Domain{Name: "example.test"}); err != nil {
			t.Fatal(err)
		}
	}
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]uint64{}
	for _, family := range gathered {
		names[family.GetName()] += 0
		for _, m := range family.GetMetric() {
			names[family.GetName()] += m.GetHistogram().GetSampleCount()
			for _, l := range m.GetLabel() {
				if l.GetName() == "outcome" && !slices.Contains([]string{"ok", "error", "abandoned"}, l.GetValue()) {
					t.Errorf("%s has the label %s", family.GetName(), l)
				}
			}
		}
	}
	if names["popelago_cassandra_statement_seconds"] < 3 {
		t.Errorf("three statements, counted: %v", names)
	}
	for _, name := range []string{"popelago_cassandra_overloaded_total", "popelago_cassandra_statements_under_way",
		"popelago_cassandra_limit", "popelago_cassandra_waiting", "popelago_cassandra_hedged_reads_total"} {
		if _, ok := names[name]; !ok {
			t.Errorf("no %s in %v", name, names)
		}
	}

	if second, err := cassandra.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "metrics") {
		t.Errorf("a second store with one registry: %v", err)
		if second != nil {
			second.Close()
		}
	}
	left, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range left {
		delete(names, family.GetName())
	}
	if len(names) > 0 {
		t.Errorf("some metrics of the first are gone: %v", names)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if left, err := registry.Gather(); err != nil || len(left) != 0 {
		t.Errorf("after Close: %v, %v", left, err)
	}
}
