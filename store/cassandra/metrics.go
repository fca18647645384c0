package cassandra

import (
	"context"
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/store"
	"popelago/store/cassandra/limit"
)

// metrics holds the metrics of the engine.
type metrics struct {
	// seconds holds the durations of attempts, by outcome: ok, error or abandoned. An attempt is
	// abandoned when the other call of a hedged read was quicker, or the client has gone.
	seconds *prometheus.HistogramVec
	ok      prometheus.Observer // of seconds
	// overloaded counts statements that failed unsent.
	overloaded prometheus.Counter
	// hedged counts reads sent to a second node.
	hedged prometheus.Counter
	// pageTimeouts counts pages of lists that timed out and were read again in small pages.
	pageTimeouts prometheus.Counter
	// skew is the lead of the clock of this server; servers counts the servers of this datacenter.
	skew, servers prometheus.Gauge
	// trusted is 1 while the clock is trusted.
	trusted prometheus.Gauge
	// windows counts the different windows of the servers of the cluster.
	windows prometheus.Gauge
	// failover is 1 while statements go through another datacenter.
	failover prometheus.Gauge
	// nodes counts nodes by datacenter and state, "up" or "down".
	nodes *prometheus.GaugeVec
	// confirming is 1 while reads are confirmed with the other datacenters.
	confirming prometheus.Gauge
	// octets and stored count the octets of new contents, as received and as stored.
	octets, stored prometheus.Counter
	// again counts reads of content repeated at a higher level, by reason: missing, damaged or failed.
	again *prometheus.CounterVec
	// kinds measures statements by their kind.
	kinds *kinds
	all   []prometheus.Collector
}

// newMetrics makes the metrics; l holds the statements in flight.
func newMetrics(l *limit.Limiter) *metrics {
	m := &metrics{
		kinds: newKinds(),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "statement_seconds",
			Help:    "Duration of attempts to execute a statement, by outcome: ok, error, abandoned (no caller waits for it any more).",
			Buckets: prometheus.ExponentialBuckets(0.0005, 2, 15), // to 8 s
		}, []string{"outcome"}),
		overloaded: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "overloaded_total",
			Help: "Statements that failed unsent, because too many were in flight.",
		}),
		hedged: prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: "hedged_reads_total",
			Help: "Reads sent to a second node, because the first node had not answered.",
		}),
	}
	m.ok = m.seconds.WithLabelValues("ok")
	m.pageTimeouts = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "page_timeouts_total",
		Help: "Pages of lists of maildrops that timed out, and were read again in small pages.",
	})
	m.octets = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "content_octets_total",
		Help: "Octets of new contents, as received.",
	})
	m.stored = prometheus.NewCounter(prometheus.CounterOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "content_stored_octets_total",
		Help: "Octets of new contents as stored, after compression, in one replica.",
	})
	m.again = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "content_rereads_total",
		Help: "Reads of content repeated at more replicas, by the reason at the replicas before: missing, damaged, failed.",
	}, []string{"reason"})
	m.skew = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "clock_skew_seconds",
		Help: "Lead of the clock of this server over the clocks of the cluster.",
	})
	m.servers = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "servers",
		Help: "Servers of this datacenter that are alive, including this server.",
	})
	m.trusted = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "clock_trusted",
		Help: "1 while the clock is trusted, 0 while mail is refused because the clock is not trusted.",
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
		Help: "Cassandra nodes by datacenter and state: up if they answer, otherwise down.",
	}, []string{"datacenter", "state"})
	m.confirming = prometheus.NewGauge(prometheus.GaugeOpts{
		Namespace: "popelago", Subsystem: "cassandra", Name: "confirming",
		Help: "1 while reads are confirmed with the other datacenters, because the local nodes were away.",
	})
	m.all = []prometheus.Collector{m.seconds, m.overloaded, m.hedged, m.pageTimeouts, m.octets, m.stored, m.again, m.skew, m.trusted, m.servers, m.windows, m.failover, m.confirming, m.nodes, m.kinds.seconds, m.kinds.failed}
	for _, g := range []struct {
		name, help string
		value      func(limit.State) int
	}{
		{"statements_under_way", "Statements being executed.", func(s limit.State) int { return s.Used }},
		{"limit", "Limit of statements in flight; it falls while the cluster cannot keep up.", func(s limit.State) int { return s.Limit }},
		{"waiting", "Statements waiting for a place in flight.", func(s limit.State) int { return s.Waiting }},
	} {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "popelago", Subsystem: "cassandra", Name: g.name, Help: g.help,
		}, func() float64 { return float64(g.value(l.State())) }))
	}
	return m
}

// countReread counts a read of content that is repeated because of err.
func (m *metrics) countReread(err error) {
	reason := "failed"
	switch {
	case errors.Is(err, store.ErrNotFound):
		reason = "missing"
	case errors.Is(err, store.ErrCorrupt):
		reason = "damaged"
	}
	m.again.WithLabelValues(reason).Inc()
}

// countContent counts a new content, as received and as stored.
func (m *metrics) countContent(octets, stored int64) {
	m.octets.Add(float64(octets))
	m.stored.Add(float64(stored))
}

// observe counts a statement and passes it on to next, which may be nil.
func (m *metrics) observe(next func(Statement)) func(Statement) {
	return func(s Statement) {
		seconds := m.ok
		switch {
		case s.Err == nil:
		case errors.Is(s.Err, context.Canceled):
			seconds = m.seconds.WithLabelValues("abandoned")
		default:
			seconds = m.seconds.WithLabelValues("error")
		}
		seconds.Observe(s.Took.Seconds())
		m.kinds.observe(s)
		if next != nil {
			next(s)
		}
	}
}

// register registers all metrics; r may be nil.
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
