package console

import "github.com/prometheus/client_golang/prometheus"

// Metrics counts failures. One Metrics serves all handlers of a process.
type Metrics struct {
	panics prometheus.Counter
}

// NewMetrics makes the metrics and registers them with reg, which may be nil.
func NewMetrics(reg prometheus.Registerer) *Metrics {
	m := &Metrics{panics: prometheus.NewCounter(prometheus.CounterOpts{
		Name: "popelago_console_panics_total", Help: "Requests for pages ended by a panic: each is a defect.",
	})}
	if reg != nil {
		reg.MustRegister(m.panics)
	}
	return m
}
