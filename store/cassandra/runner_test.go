package cassandra

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/store"
	"popelago/store/cassandra/limit"
)

// A statement above the limit is not sent, and its error says so.
func TestConcurrencyIsBounded(t *testing.T) {
	l := limit.New(limit.Config{QueueTime: time.Millisecond, Most: 2})
	r := newRunner(Config{}, nil, l, newMetrics(l))
	registry := prometheus.NewRegistry()
	if err := r.metrics.register(registry); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	for range 2 {
		if err := r.enter(ctx, "x", limit.Foreground); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.enter(ctx, "x", limit.Foreground); !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, store.ErrOverloaded) {
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
	r.leave(limit.Foreground)
	if err := r.enter(ctx, "x", limit.Foreground); err != nil {
		t.Errorf("after one has ended: %v", err)
	}
	patient := newRunner(Config{}, nil, limit.New(limit.Config{QueueTime: time.Hour, Most: 1}), newMetrics(l))
	if err := patient.enter(ctx, "x", limit.Foreground); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan error)
	go func() { ended <- patient.enter(ctx, "x", limit.Foreground) }()
	cancel()
	if err := <-ended; !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, context.Canceled) {
		t.Errorf("a context that ended: %v", err)
	}
	patient.leave(limit.Foreground)
	r.leave(limit.Foreground)
	r.leave(limit.Foreground)
	r.inFlight.close()
	for range 3 { // each returns its slot
		if err := r.enter(t.Context(), "x", limit.Foreground); !errors.Is(err, store.ErrClosed) {
			t.Errorf("after Close: %v", err)
		}
		if r.tryEnter(limit.Hedged) {
			t.Error("after Close a second attempt begins")
		}
	}
	if used := l.State().Used; used != 0 {
		t.Errorf("%d places are not given back", used)
	}
}
