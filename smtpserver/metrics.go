package smtpserver

import (
	"errors"
	"strconv"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/wire"
)

// metrics counts replies, recipients, messages, handshakes, sessions and commands. All have a constant label protocol,
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
	// sessions by outcome.
	sessions map[outcome]prometheus.Counter
	// commands holds the durations of commands by verb; commandOther stands for all further verbs.
	commands *prometheus.HistogramVec
}

// commandOther is the label value of commands that the server does not offer.
const commandOther = "other"

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
		sessions: map[outcome]prometheus.Counter{},
		commands: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "popelago_smtpserver_command_seconds",
			Help:    "Time from a command line to its reply, by command: HELO, EHLO, LHLO, STARTTLS, MAIL, RCPT, DATA, BDAT, RSET, NOOP, HELP, VRFY, QUIT, other. DATA and BDAT include the time in which the client sends the text.",
			Buckets: wire.CommandBuckets(),
		}, []string{"command"}),
	}
	sessions := prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "popelago_smtpserver_sessions_total",
		Help: "Sessions by result: quit, disconnected, timeout, bad_commands, bad_text, crowded, tls_failed, shutdown, administrator, panicked.",
	}, []string{"result"})
	for _, o := range outcomes {
		m.sessions[o] = sessions.WithLabelValues(string(o))
	}
	if reg == nil {
		return m, nil
	}
	reg = prometheus.WrapRegistererWith(prometheus.Labels{"protocol": string(protocol)}, reg)
	return m, errors.Join(reg.Register(m.replies), reg.Register(m.recipients), reg.Register(m.messages),
		reg.Register(m.startTLS), reg.Register(sessions), reg.Register(m.commands))
}

func (m *metrics) reply(code int) { m.replies.WithLabelValues(strconv.Itoa(code)).Inc() }
