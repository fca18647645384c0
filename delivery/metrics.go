package delivery

import (
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
)

// metrics counts messages by their outcome. No label value is user data.
type metrics struct {
	// messages by result: stored (for all recipients), partly, refused (too large, bare line end,
	// loop, or the accounts had ended), over_quota, full, unavailable, unknown (outcome unknown), incomplete (the
	// text did not end, or the session gave it up).
	messages *prometheus.CounterVec
	// recipients of complete messages by result: stored, refused (the account had ended, or the message is
	// too large for the account), over_quota, full, unavailable, unknown.
	recipients *prometheus.CounterVec
	// durability counts stored recipients by the durability reached: local, each, fallback.
	durability *prometheus.CounterVec
	// octets of texts stored for one recipient or more, counted once for each message.
	octets prometheus.Counter
	// normalized counts stored messages in which a bare LF became CRLF.
	normalized prometheus.Counter
	// seconds between the last octet of the text and the outcome.
	seconds prometheus.Histogram
	// visible holds the seconds from the last octet of a text to the moment at which all mailboxes list the
	// message, by the least durability reached, for messages stored for all recipients.
	visible [3]prometheus.Observer // by mail.Reached
	// tooOld counts messages removed again because storing took too long, or the clock is wrong.
	tooOld prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_messages_total",
			Help: "Messages by result: stored, partly, refused, over_quota, full, unavailable, unknown, incomplete.",
		}, []string{"result"}),
		recipients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_delivery_recipients_total",
			Help: "Recipients of complete messages by result: stored, refused, over_quota, full, unavailable, unknown.",
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
			Buckets: storeBuckets(),
		}),
		tooOld: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_delivery_too_old_total",
			Help: "Messages removed again because storing them took too long, or because the clock turned out to be wrong.",
		}),
	}
	visible := prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name:    "popelago_delivery_visible_seconds",
		Help:    "Time from the last octet of a message to its being listed in all its maildrops in this datacenter, by the least durability reached: local, each, fallback. Messages that a recipient did not get are not counted.",
		Buckets: storeBuckets(),
	}, []string{"durability"})
	for _, reached := range []mail.Reached{mail.ReachedLocal, mail.ReachedEach, mail.ReachedFallback} {
		m.visible[reached] = visible.WithLabelValues(reached.String())
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(visible), reg.Register(m.messages), reg.Register(m.recipients), reg.Register(m.durability), reg.Register(m.octets), reg.Register(m.normalized),
		reg.Register(m.seconds), reg.Register(m.tooOld))
}

// storeBuckets are the bounds of the durations of storing, in seconds.
func storeBuckets() []float64 {
	return []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 60}
}

// resultOf returns the label for an error.
func resultOf(err error) string {
	switch {
	case err == nil:
		return "stored"
	case errors.Is(err, ErrTooLarge), errors.Is(err, ErrBareLineEnd), errors.Is(err, ErrLoop), errors.Is(err, account.ErrNoSuchRecipient):
		return "refused"
	case errors.Is(err, quota.ErrOver):
		return "over_quota"
	case errors.Is(err, store.ErrFull):
		return "full"
	case errors.Is(err, store.ErrOutcomeUnknown):
		return "unknown"
	case errors.Is(err, store.ErrUnavailable), errors.Is(err, store.ErrCorrupt):
		return "unavailable"
	}
	return "incomplete"
}

// message counts a message that failed before it could be stored.
func (m *metrics) message(err error) { m.messages.WithLabelValues(resultOf(err)).Inc() }

// stored counts the outcome of a complete message. took is the time to store the message, visible the time
// since the last octet of its text.
func (m *metrics) stored(res Result, took, visible time.Duration) {
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
	if bad == nil {
		m.visible[res.Least()].Observe(visible.Seconds())
	}
	if good > 0 && bad != nil {
		m.messages.WithLabelValues("partly").Inc()
		return
	}
	m.messages.WithLabelValues(resultOf(bad)).Inc()
}
