package ledger

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts attempts and repeated deliveries. No label value is user data.
type metrics struct {
	// attempts in memory, without used ones.
	attempts prometheus.GaugeFunc
	// entered counts attempts of this process by cause: outcome (a failure or an unknown outcome),
	// reply (perhaps lost).
	entered *prometheus.CounterVec
	// reused counts repetitions whose rows were written under the id of an earlier delivery.
	reused prometheus.Counter
	// skipped counts recipients of repetitions whose row an earlier delivery stored.
	skipped prometheus.Counter
	// removed counts rows of unknown outcome removed before the message got a new id.
	removed prometheus.Counter
	// forgotten counts attempts dropped beyond Config.Size.
	forgotten prometheus.Counter
	// panics of the exchange with other servers.
	panics prometheus.Counter
}

// newMetrics makes the metrics and registers them, unless reg is nil. Their names begin with the
// name of package delivery, which the ledger works for.
func newMetrics(reg prometheus.Registerer, attempts func() int) (*metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "popelago_delivery_ledger_" + name, Help: help})
	}
	m := &metrics{
		attempts: prometheus.NewGaugeFunc(prometheus.GaugeOpts{
			Name: "popelago_delivery_ledger_attempts",
			Help: "Deliveries remembered because their sender may repeat them.",
		}, func() float64 { return float64(attempts()) }),
		entered: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_ledger_entered_total",
			Help: "Deliveries entered because of their outcome (unknown, or only some recipients stored) or because the reply may be lost.",
		}, []string{"cause"}),
		reused:    counter("reused_total", "Repeated deliveries that continued under the id of the first."),
		skipped:   counter("skipped_total", "Recipients of repeated deliveries whose mailbox had the message already."),
		removed:   counter("removed_total", "Rows of unknown outcome removed before a repeated delivery got a new id."),
		forgotten: counter("forgotten_total", "Deliveries forgotten because there were too many to remember."),
		panics:    counter("panics_total", "Panics while the ledger was shared; each is a bug."),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.attempts), reg.Register(m.entered), reg.Register(m.reused), reg.Register(m.skipped),
		reg.Register(m.removed), reg.Register(m.forgotten), reg.Register(m.panics))
}
