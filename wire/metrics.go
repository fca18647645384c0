package wire

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts connections. All Servers of a process share one Metrics. The label "protocol" is
// Config.Protocol.
type Metrics struct {
	open    *prometheus.GaugeVec
	total   *prometheus.CounterVec
	refused *prometheus.CounterVec // label reason: "total", "address", "proxy"
	dropped *prometheus.CounterVec // label reason: "crowded", "login_timeout", "slow_text", "administrator"
	panics  *prometheus.CounterVec
}

// CommandBuckets are the bounds of the durations of commands, in seconds, for the histograms of the protocols.
func CommandBuckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}
}

// NewMetrics makes the metrics and registers them with reg; nil: the metrics are not registered.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{
		open: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "popelago_wire_open_connections", Help: "Connections open now.",
		}, []string{"protocol"}),
		total: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_wire_connections_total", Help: "Connections accepted.",
		}, []string{"protocol"}),
		refused: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_wire_refused_connections_total", Help: "Connections refused, by reason: total and address (limits), proxy (a proxy's connection without a header of the PROXY protocol).",
		}, []string{"protocol", "reason"}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_wire_dropped_connections_total",
			Help: "Connections ended by a limit or the administrator, by reason: crowded (displaced by a new connection), login_timeout, slow_text, administrator.",
		}, []string{"protocol", "reason"}),
		panics: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_wire_panics_total", Help: "Sessions ended by a panic: each is a defect.",
		}, []string{"protocol"}),
	}
	if reg != nil {
		reg.MustRegister(m.open, m.total, m.refused, m.dropped, m.panics)
	}
	return m
}
