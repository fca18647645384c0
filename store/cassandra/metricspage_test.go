package cassandra

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mailtest"
	"popelago/store/cassandra/limit"
)

// The page of metrics names every metric of this engine.
func TestMetricsPage(t *testing.T) {
	m := newMetrics(limit.New(limit.Config{Most: 1}))
	m.observe(nil)(Statement{})
	m.nodes.WithLabelValues("dc1", "up")
	registry := prometheus.NewRegistry()
	if err := m.register(registry); err != nil {
		t.Fatal(err)
	}
	mailtest.GoldenMetrics(t, "../../docs/metrics.md", registry)
}
