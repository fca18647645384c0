package trace

import (
	"github.com/prometheus/client_golang/prometheus"

	"popelago/event"
	"popelago/store"
)

// metrics counts records.
type metrics struct {
	// written by journal, see store.JournalName.
	written *prometheus.CounterVec
	// dropped by reason, see event.DropFull.
	dropped *prometheus.CounterVec
	waiting prometheus.GaugeFunc
}

func newMetrics(reg prometheus.Registerer, waiting func() float64) (*metrics, error) {
	m := &metrics{
		written: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_trace_records_total",
			Help: "Events recorded, by journal: trace, audit.",
		}, []string{"journal"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_trace_dropped_total",
			Help: "Events that trace and audit lack, by reason: full (too many events waited), failed (the store did not take the record), stopped (the server stopped). Mail is not affected.",
		}, []string{"reason"}),
		waiting: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "popelago_trace_waiting_events", Help: "Events that wait to be recorded.",
		}, waiting),
	}
	for _, j := range []store.JournalName{store.JournalTrace, store.JournalAudit} {
		m.written.WithLabelValues(string(j))
	}
	for _, reason := range []string{event.DropFull, event.DropFailed, event.DropStopped} {
		m.dropped.WithLabelValues(reason)
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.written, m.dropped, m.waiting} {
		if err := reg.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
