package embedded

import (
	"github.com/prometheus/client_golang/prometheus"
)

// metrics holds the metrics of the engine, without labels.
type metrics struct {
	writes  prometheus.Counter
	groups  prometheus.Counter
	faults  prometheus.Counter
	corrupt prometheus.Counter
	swept   prometheus.Counter
	tidied  prometheus.Counter
	// octets and stored count the octets of new contents, as received and as stored.
	octets, stored prometheus.Counter
	// commits holds the durations of groups of writes, with their fsync; failed counts groups in vain.
	commits prometheus.Histogram
	failed  prometheus.Counter
	all     []prometheus.Collector
}

func newMetrics() *metrics {
	m := &metrics{}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "embedded", Name: name, Help: help})
		m.all = append(m.all, c)
		return c
	}
	m.writes = counter("writes_total", "Writes made durable.")
	m.groups = counter("groups_total", "Groups of writes made durable with one fsync each.")
	m.faults = counter("faults_total", "Failed writes after which the database had to be opened again.")
	m.corrupt = counter("damaged_total", "Reads of damaged data.")
	m.swept = counter("swept_octets_total", "Octets of reclaimed content.")
	m.tidied = counter("tidied_mailboxes_total", "Mailboxes whose gaps of removed messages were closed.")
	m.octets = counter("content_octets_total", "Octets of new contents, as received.")
	m.stored = counter("content_stored_octets_total", "Octets of new contents as stored, after compression.")
	m.failed = counter("failed_groups_total", "Groups of writes that failed.")
	m.commits = prometheus.NewHistogram(prometheus.HistogramOpts{
		Namespace: "popelago", Subsystem: "embedded", Name: "commit_seconds",
		Help: "Time to make a group of writes durable, with its fsync.", Buckets: prometheus.ExponentialBuckets(0.0001, 3, 11), // to 6 s
	})
	m.all = append(m.all, m.commits)
	return m
}

// gauges adds the gauges, which ask the objects when they are read.
func (m *metrics) gauges(l *link, p *pending, w *clockWatch) {
	gauge := func(name, help string, f func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "popelago", Subsystem: "embedded", Name: name, Help: help}, f))
	}
	yes := func(f func() bool) func() float64 {
		return func() float64 {
			if f() {
				return 1
			}
			return 0
		}
	}
	gauge("pending_contents", "Contents that no entry names yet.", func() float64 { return float64(p.n.Load()) })
	gauge("disk_octets", "Octets of the database on disk, without content files.", func() float64 { return float64(l.octets()) })
	gauge("clock_trusted", "1 while the server trusts the clock, 0 while it refuses mail because of the clock.", yes(func() bool { return w.Clock() == nil }))
	gauge("usable", "1 while the database can be written, 0 until it can be opened again.", yes(l.writable))
}

// count counts a new content, as received and as stored.
func (m *metrics) count(octets, stored int64) {
	m.octets.Add(float64(octets))
	m.stored.Add(float64(stored))
}

func (m *metrics) register(r prometheus.Registerer) error {
	if r == nil {
		return nil
	}
	for i, c := range m.all {
		if err := r.Register(c); err != nil {
			for _, c := range m.all[:i] {
				r.Unregister(c)
			}
			return err
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
