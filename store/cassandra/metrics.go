package cassandra

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics are the engine's.
type metrics struct {
	// seconds is how long each attempt of a statement took, by outcome: ok, error, or abandoned
	// if nobody waited for it any more: the other attempt at a hedged read was quicker, or a
	// client has gone.
	seconds *prometheus.HistogramVec
	// overloaded counts statements given up before they were sent.
	overloaded prometheus.Counter
	// hedged counts reads that a second node was asked.
	hedged prometheus.Counter
	// pageTimeouts counts pages of lists that timed out and were read again in small ones.
	pageTimeouts prometheus.Counter
	// skew is how far our clock is ahead, servers how many are alive in this datacenter.
	skew, servers prometheus.Gauge
	// trusted is 1 while the clock can be trusted.
	trusted prometheus.Gauge
	// windows is how many different windows the servers of the cluster have.
	windows prometheus.Gauge
	// failover is 1 while statements go through another datacenter.
	failover prometheus.Gauge
	// nodes is how many nodes are in a state, "up" or "down", by datacenter.
	nodes *prometheus.GaugeVec
	// confirming is 1 while reads are confirmed with the other datacenters.
	confirming prometheus.Gauge
	all        []prometheus.Collector
}

// newMetrics makes the metrics; limit is asked how many statements are under way.
func newMetrics(limit *limiter) *metrics {
	m := &metrics{
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "statement_seconds",
			Help:    "How long attempts to execute a statement took.",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15), // to 8 s
		}, []string{"outcome"}),
		overloaded: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "overloaded_total",
			Help: "Statements given up unsent, because too many were under way.",
		}),
		hedged: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "hedged_reads_total",
			Help: "Reads that a second node was asked, because the first had not answered.",
		}),
	}
	m.pageTimeouts = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "page_timeouts_total",
		Help: "Pages of maildrops' lists that timed out, and were read again in small pages.",
	})
	m.skew = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "clock_skew_seconds",
		Help: "How far the clock of this server is ahead of the cluster's.",
	})
	m.servers = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "servers",
		Help: "Servers of this datacenter that are alive, with this one.",
	})
	m.trusted = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "clock_trusted",
		Help: "1 while the clock is taken for right, 0 while mail is refused because it is not.",
	})
	m.windows = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "windows",
		Help: "Different values of cassandra.window among the servers that are alive: background work waits unless it is 1.",
	})
	m.failover = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "failover",
		Help: "1 while statements go through another datacenter, because no local node can be reached.",
	})
	m.nodes = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "nodes",
		Help: "Cassandra nodes by datacenter and state: up if they answer, down if not.",
	}, []string{"datacenter", "state"})
	m.confirming = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "confirming",
		Help: "1 while reads are confirmed with the other datacenters, because the local nodes were away.",
	})
	m.all = []prometheus.Collector{m.seconds, m.overloaded, m.hedged, m.pageTimeouts, m.skew, m.trusted, m.servers, m.windows, m.failover, m.confirming, m.nodes}
	for _, g := range []struct {
		name, help string
		value      func(limiterState) int
	}{
		{"statements_under_way", "Statements being executed.", func(s limiterState) int { return s.used }},
		{"limit", "How many statements may be executed at one time; it falls when the cluster cannot keep up.", func(s limiterState) int { return s.limit }},
		{"waiting", "Statements waiting until they may be executed.", func(s limiterState) int { return s.waiting }},
	} {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: g.name, Help: g.help,
		}, func() float64 { return float64(g.value(limit.state())) }))
	}
	return m
}

// observe counts a statement and passes it on to next, which may be nil.
func (m *metrics) observe(next func(Statement)) func(Statement) {
	return func(s Statement) {
		outcome := "ok"
		switch {
		case errors.Is(s.Err, context.Canceled):
			outcome = "abandoned"
		case s.Err != nil:
			outcome = "error"
		}
		m.seconds.WithLabelValues(outcome).Observe(s.Took.Seconds())
		if next != nil {
			next(s)
		}
	}
}

// register may be given nil.
func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range m.all {
		if err := r.Register(c); err != nil {
			for _, c := range m.all[:i] {
				r.Unregister(c)
			}
			return fmt.Errorf("cassandra: metrics: %w", err)
		}
	}
	return nil
}

func (m *metrics) unregister(r prometheus.Registerer) {
	if r == nil {
		return
	}
	for _, c := range m.all {
		r.Unregister(c)
	}
}
