package quota

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/mail"
)

// The quotas that a message may exceed: label values of popelago_quota_refusals_total.
const (
	quotaMailbox = "mailbox"
	quotaDomain  = "domain"
)

// metrics counts the work of a Keeper. No label value is user data.
type metrics struct {
	// refusals by quota (mailbox, domain) and answer (retry, refuse).
	refusals *prometheus.CounterVec
	// warnings counts mailboxes that a delivery of this server filled over a level, by percent: 80, 95.
	warnings *prometheus.CounterVec
	// reads of the usage of a mailbox by result: ok, error.
	reads *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_quota_refusals_total",
			Help: "Messages over quota at RCPT or at the end of the text, by quota (mailbox, domain) and answer (retry, refuse).",
		}, []string{"quota", "answer"}),
		warnings: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_quota_warnings_total",
			Help: "Mailboxes that a delivery filled over a level of their quota, by percent: 80, 95.",
		}, []string{"percent"}),
		reads: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_quota_reads_total",
			Help: "Reads of the usage of a mailbox by result: ok, error.",
		}, []string{"result"}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.refusals), reg.Register(m.warnings), reg.Register(m.reads))
}

func (m *metrics) refused(quota string, err error) {
	answer := "retry"
	if errors.Is(err, ErrRefused) {
		answer = "refuse"
	}
	m.refusals.WithLabelValues(quota, answer).Inc()
}

func (m *metrics) read(err error) {
	result := "ok"
	if err != nil {
		result = "error"
	}
	m.reads.WithLabelValues(result).Inc()
}

// warn warns if a delivery has filled a mailbox over 80 or 95 percent of its quota. Every crossing is
// noticed by the server whose delivery crosses the level.
func (k *Keeper) warn(r mail.Recipient, before, after Usage) {
	was, is := before.Percent(r.Limits.Octets, r.Limits.Messages), after.Percent(r.Limits.Octets, r.Limits.Messages)
	for _, level := range []struct {
		percent int
		label   string
	}{{95, "95"}, {80, "80"}} {
		if was < level.percent && is >= level.percent {
			k.metrics.warnings.WithLabelValues(level.label).Inc()
			k.cfg.Logger.Warn("a maildrop is nearly full", "address", r.Account.String(), "percent", is,
				"octets", after.Octets, "messages", after.Messages)
			return
		}
	}
}
