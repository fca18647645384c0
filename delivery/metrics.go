package delivery

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/store"
)

// metrics counts what became of messages. No label value is user data.
type metrics struct {
	// messages by result: stored (for all recipients), partly, refused (too large, bare line
	// end, loop, or the accounts had ended), full, unavailable, unknown (outcome unknown), incomplete (the text did not
	// end, or was given up).
	messages *prometheus.CounterVec
	// recipients by result: stored, refused (the account had ended), full, unavailable, unknown. Only of messages that came
	// in whole.
	recipients *prometheus.CounterVec
	// durability reached for each recipient stored: local, each, fallback.
	durability *prometheus.CounterVec
	// octets of texts stored for at least one recipient, counted once for each message.
	octets prometheus.Counter
	// normalized counts messages stored of which a bare LF became CRLF.
	normalized prometheus.Counter
	// seconds that storing took, from the last octet of the text to the outcome.
	seconds prometheus.Histogram
	// tooOld counts messages removed again because storing them took too long, or the clock is wrong.
	tooOld prometheus.Counter

	// attempts that are remembered.
	attempts prometheus.GaugeFunc
	// entered attempts of this process by what is not known for sure, outcome or reply (it was
	// perhaps lost).
	entered *prometheus.CounterVec
	// reused counts repetitions that got the id of an earlier trial.
	reused prometheus.Counter
	// skipped counts recipients of repetitions who had the message already.
	skipped prometheus.Counter
	// removed counts rows of earlier trials that were removed before there was another one.
	removed prometheus.Counter
	// forgotten attempts, for want of room.
	forgotten prometheus.Counter
	// panics of what shares the ledger.
	panics prometheus.Counter
}

func newMetrics(reg prometheus.Registerer, attempts func() int) (*metrics, error) {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_messages_total",
			Help: "Messages by result: stored, partly, refused, full, unavailable, unknown, incomplete.",
		}, []string{"result"}),
		recipients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_recipients_total",
			Help: "Recipients of complete messages by result: stored, full, unavailable, unknown.",
		}, []string{"result"}),
		durability: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_durability_total",
			Help: "Recipients stored by the durability reached: local, each, fallback (each was asked for, but a datacenter could not be reached).",
		}, []string{"durability"}),
		octets: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_delivery_octets_total",
			Help: "Octets of the messages stored, each counted once.",
		}),
		normalized: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_delivery_normalized_messages_total",
			Help: "Messages stored, each counted once, of which lines ended in a bare LF.",
		}),
		seconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name:    "popelago_delivery_store_seconds",
			Help:    "Time from the last octet of a message to its being stored.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60},
		}),
		tooOld: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_delivery_too_old_total",
			Help: "Messages removed again because storing them took too long, or because the clock turned out to be wrong.",
		}),
	}
	m.ledger(attempts)
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.messages), reg.Register(m.recipients), reg.Register(m.durability), reg.Register(m.octets), reg.Register(m.normalized),
		reg.Register(m.seconds), reg.Register(m.tooOld), reg.Register(m.attempts), reg.Register(m.entered),
		reg.Register(m.reused), reg.Register(m.skipped), reg.Register(m.removed), reg.Register(m.forgotten),
		reg.Register(m.panics))
}

// ledger makes the metrics of the ledger.
func (m *metrics) ledger(attempts func() int) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Name: "popelago_delivery_ledger_" + name, Help: help})
	}
	m.attempts = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_delivery_ledger_attempts",
		Help: "Deliveries remembered because their sender may repeat them.",
	}, func() float64 { return float64(attempts()) })
	m.entered = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "popelago_delivery_ledger_entered_total",
		Help: "Deliveries entered because of their outcome (unknown, or only some recipients stored) or because the reply may be lost.",
	}, []string{"cause"})
	m.reused = counter("reused_total", "Repeated deliveries that went on under the id of the first.")
	m.skipped = counter("skipped_total", "Recipients of repeated deliveries who had the message already.")
	m.removed = counter("removed_total", "Rows of unknown outcome removed before a repeated delivery got a new id.")
	m.panics = counter("panics_total", "Panics while the ledger was shared; each is a bug.")
	m.forgotten = counter("forgotten_total", "Deliveries forgotten because there were too many to remember.")
}

// resultOf is the label for an error.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "stored"
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrBareLineEnd), errors.Is(err, ErrLoop), errors.Is(err, account.ErrNoSuchRecipient):
		return "refused"
	case errors.Is(err, store.ErrFull):
		return "full"
	case errors.Is(err, store.ErrOutcomeUnknown):
		return "unknown"
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrCorrupt):
		return "unavailable"
	}
	return "incomplete"
}

// message counts a message that did not come to be stored.
func (m *metrics) message(err error) { m.messages.WithLabelValues(resultOf(err)).Inc() }

// stored counts the outcome of storing.
func (m *metrics) stored(res Result, took time.Duration) {
	m.seconds.Observe(took.Seconds())
	good := 0
	var bad error
	for i, err := range res.Errors {
		m.recipients.WithLabelValues(resultOf(err)).Inc()
		if err == nil {
			m.durability.WithLabelValues(res.Reached[i].String()).Inc()
			good++
		} else if bad == nil {
			bad = err
		}
	}
	if good > 0 {
		m.octets.Add(float64(res.Size))
		if res.Normalized > 0 {
			m.normalized.Inc()
		}
	}
	if good > 0 && bad != nil {
		m.messages.WithLabelValues("partly").Inc()
		return
	}
	m.messages.WithLabelValues(resultOf(bad)).Inc()
}
