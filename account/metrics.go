package account

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts the work of the directory. The comment of each metric lists the label values; no
// label value is user data.
type metrics struct {
	// logins by result: ok, ok_cached, bad_credentials, disabled, held_back, busy, error.
	logins *prometheus.CounterVec
	// lookups of addresses by result: cached, read, error.
	lookups *prometheus.CounterVec
	// elsewhere counts questions to the other datacenters by subject (address, domain, making: an address or a domain that is about to be made) and answer:
	// found, none, busy, error, rest.
	elsewhere *prometheus.CounterVec
	// skipped counts targets of aliases and groups that got no mail, by reason: missing, disabled.
	skipped *prometheus.CounterVec
	// hashes of passwords computed, for logins and new passwords.
	hashes prometheus.Counter
	// waiting is the number of logins that wait for a turn to hash.
	waiting prometheus.Gauge
	// busy counts logins that got no turn, by reason: refused (the queue was full), displaced (by a
	// login with a better claim), abandoned (the client hung up).
	busy *prometheus.CounterVec
	// penalties by result: held (the login waited), refused.
	penalties *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_logins_total",
			Help: "Logins by result: ok, ok_cached, bad_credentials, disabled, held_back, busy, error.",
		}, []string{"result"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_lookups_total",
			Help: "Address lookups by result: cached, read, error.",
		}, []string{"result"}),
		elsewhere: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_elsewhere_total",
			Help: "Questions to the other datacenters by subject (address, domain, making: an address or a domain that is about to be made) " +
				"and answer: found, none, busy (too many questions: not asked), error, rest (a datacenter was silent a moment ago: not asked).",
		}, []string{"what", "answer"}),
		skipped: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_skipped_targets_total",
			Help: "Targets of aliases and groups that got no mail beside targets that did, by reason: missing, disabled.",
		}, []string{"reason"}),
		hashes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_account_password_hashes_total",
			Help: "Password hashes computed.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "popelago_account_hash_waiting_logins",
			Help: "Logins that wait for a turn to compute a password hash.",
		}),
		busy: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_hash_dropped_logins_total",
			Help: "Logins that did not get their turn to compute a password hash, by reason: refused, displaced, abandoned.",
		}, []string{"reason"}),
		penalties: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_penalized_logins_total",
			Help: "Logins from addresses, networks or for accounts with too many failures, by result: held, refused.",
		}, []string{"result"}),
	}
	if reg == nil {
		return m, nil
	}
	var failed []error
	for _, c := range []prometheus.Collector{m.logins, m.lookups, m.elsewhere, m.skipped, m.hashes, m.waiting, m.busy, m.penalties} {
		failed = append(failed, reg.Register(c))
	}
	return m, errors.Join(failed...)
}

// answered counts an answer of the other datacenters about a subject.
func (m *metrics) answered(what string, found bool, err error) {
	answer := answerNone
	switch {
	case err != nil:
		answer = answerError
	case found:
		answer = answerFound
	}
	m.elsewhere.WithLabelValues(what, answer).Inc()
}
