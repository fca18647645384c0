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
	all     []prometheus.Collector
}

func newMetrics(s *Store) *metrics {
	m := &metrics{}
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "popelago", Subsystem: "embedded", Name: name, Help: help})
		m.all = append(m.all, c)
		return c
	}
	gauge := func(name, help string, f func() float64) {
		m.all = append(m.all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: "popelago", Subsystem: "embedded", Name: name, Help: help}, f))
	}
	m.writes = counter("writes_total", "Writes made durable.")
	m.groups = counter("groups_total", "Groups of writes made durable with one fsync each.")
	m.faults = counter("faults_total", "Failed writes after which the database had to be opened again.")
	m.corrupt = counter("damaged_total", "Reads of damaged data.")
	m.swept = counter("swept_octets_total", "Octets of reclaimed content.")
	m.tidied = counter("tidied_mailboxes_total", "Mailboxes whose gaps of removed messages were closed.")
	gauge("pending_contents", "Contents that no entry names yet.", func() float64 {
		return float64(s.pending.n.Load())
	})
	gauge("disk_octets", "Octets of the database on disk, without content files.", func() float64 {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if s.database == nil || s.closed {
			return 0
		}
		return float64(s.database.db.Metrics().DiskSpaceUsage())
	})
	gauge("clock_trusted", "1 while the server trusts the clock, 0 while it refuses mail because of the clock.", func() float64 {
		if s.Clock() != nil {
			return 0
		}
		return 1
	})
	gauge("usable", "1 while the database can be written, 0 until it can be opened again.", func() float64 {
		s.mu.RLock()
		defer s.mu.RUnlock()
		if d, err := s.databaseLocked(); err != nil || d.readOnly {
			return 0
		}
		return 1
	})
	return m
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
