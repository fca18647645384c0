package webhook

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/event"
)

// metrics counts the events of the queue.
type metrics struct {
	queued prometheus.Counter
	// dropped by reason, see event.DropFull.
	dropped *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer, waiting func() float64) (*metrics, error) {
	m := &metrics{
		queued: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_webhook_queued_total", Help: "Events that entered the queue of the webhooks.",
		}),
		dropped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_webhook_dropped_total",
			Help: "Events that no webhook gets, by reason: full (too many events waited for the store), stopped (the server stopped before the store took them). Mail is not affected.",
		}, []string{"reason"}),
	}
	for _, reason := range []string{event.DropFull, event.DropStopped} {
		m.dropped.WithLabelValues(reason)
	}
	return m, register(reg, m.queued, m.dropped, prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_webhook_waiting_events", Help: "Events that wait to enter the queue of the webhooks.",
	}, waiting))
}

// Results of a request: label values of popelago_webhook_requests_total.
const (
	resultTaken   = "taken"   // 2xx
	resultRefused = "refused" // another status
	resultFailed  = "failed"  // no answer
)

// sendMetrics counts the requests of a Sender, by webhook.
type sendMetrics struct {
	sent     *prometheus.CounterVec
	requests *prometheus.CounterVec
	behind   *prometheus.GaugeVec
	expired  *prometheus.CounterVec
	damaged  *prometheus.CounterVec
}

func newSendMetrics(reg prometheus.Registerer, targets []Target) (*sendMetrics, error) {
	byHook := []string{"webhook"}
	m := &sendMetrics{
		sent: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_webhook_sent_total", Help: "Events that a webhook has taken, by webhook. An event may count several times.",
		}, byHook),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_webhook_requests_total", Help: "Requests, by webhook and result: taken (status 2xx), refused (another status), failed (no answer).",
		}, []string{"webhook", "result"}),
		behind: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "popelago_webhook_behind_seconds", Help: "Age of the oldest event that this server has to send, by webhook; 0: none. The servers of a datacenter share the work.",
		}, byHook),
		expired: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_webhook_expired_total", Help: "Times that a waiting event was older than events.keep, by webhook: earlier events may have expired unsent.",
		}, byHook),
		damaged: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_webhook_damaged_total", Help: "Events whose stored row is damaged, by webhook: the webhook does not get them.",
		}, byHook),
	}
	for _, t := range targets {
		m.sent.WithLabelValues(t.Name)
		m.behind.WithLabelValues(t.Name)
		m.expired.WithLabelValues(t.Name)
		m.damaged.WithLabelValues(t.Name)
		for _, result := range []string{resultTaken, resultRefused, resultFailed} {
			m.requests.WithLabelValues(t.Name, result)
		}
	}
	return m, register(reg, m.sent, m.requests, m.behind, m.expired, m.damaged)
}

// register registers metrics with reg, which may be nil.
func register(reg prometheus.Registerer, all ...prometheus.Collector) (err error) {
	for _, c := range all {
		if reg != nil {
			err = errors.Join(err, reg.Register(c))
		}
	}
	return err
}
