package cassandra

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/store"
)

// What there is no room for is not sent, and says so.
func TestConcurrencyIsBounded(t *testing.T) {
	limit := newLimiter(Config{QueueTime: time.Millisecond, Concurrency: 2})
	s := &engine{limit: limit, metrics: newMetrics(limit)}
	registry := prometheus.NewRegistry()
	if err := s.metrics.register(registry); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 2 {
		if err := s.enter(ctx, "x"); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.enter(ctx, "x"); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, errOverloaded) {
		t.Errorf("a third statement: %v", err)
	}
	gathered, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counted := map[string]float64{}
	for _, family := range gathered {
		m := family.GetMetric()[0]
		counted[family.GetName()] = m.GetCounter().GetValue() + m.GetGauge().GetValue()
	}
	if counted["popelago_cassandra_overloaded_total"] != 1 || counted["popelago_cassandra_statements_under_way"] != 2 ||
		counted["popelago_cassandra_limit"] != 2 {
		t.Errorf("counted: %v", counted)
	}
	s.leave()
	if err := s.enter(ctx, "x"); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	limit.queueTime = time.Hour
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- s.enter(ctx, "x") }()
	cancel()
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	s.leave()
	s.leave()
	s.closed = true
	for range 3 { // each gives its place back
		if err := s.enter(t.Context(), "x"); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if s.tryEnterAs(second) {
			t.Error("after Close a second attempt begins")
		}
	}
	if used := limit.state().used; used != 0 {
		t.Errorf("%d places are not given back", used)
	}
}
