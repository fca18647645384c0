package smtpserver

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts replies, recipients, messages and handshakes. All have a constant label protocol,
// "smtp" or "lmtp". No label value is user data.
type metrics struct {
	// replies by code, as "250".
	replies *prometheus.CounterVec
	// recipients by result of RCPT: accepted, unknown, disabled, not_hosted, over_quota, too_large,
	// deferred, too_many. Malformed commands are not counted.
	recipients *prometheus.CounterVec
	// messages by result: stored, partly, refused, deferred, incomplete.
	messages *prometheus.CounterVec
	// startTLS by result: ok, failed.
	startTLS *prometheus.CounterVec
}

func newMetrics(protocol Protocol, reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		replies: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_smtpserver_replies_total", Help: "Replies sent, by code.",
		}, []string{"code"}),
		recipients: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_smtpserver_recipients_total",
			Help: "RCPT commands by result: accepted, unknown, disabled, not_hosted, over_quota, too_large, deferred, too_many.",
		}, []string{"result"}),
		messages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_smtpserver_messages_total",
			Help: "Messages by result: stored, partly, refused, deferred, incomplete.",
		}, []string{"result"}),
		startTLS: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_smtpserver_starttls_total", Help: "STARTTLS handshakes by result: ok, failed.",
		}, []string{"result"}),
	}
	if reg == nil {
		return m, nil
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"protocol": string(protocol)}, reg)
	return m, errors.Join(reg.Register(m.replies), reg.Register(m.recipients), reg.Register(m.messages),
		reg.Register(m.startTLS))
}

func (m *metrics) reply(code int) { m.replies.WithLabelValues(strconv.Itoa(code)).Inc() }
