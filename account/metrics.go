package account

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts what the directory did. Label values are listed at each; none of them is
// user data.
type metrics struct {
	// logins by result: ok, ok_cached, bad_credentials, disabled, error.
	logins *prometheus.CounterVec
	// lookups of addresses by result: cached, read, error.
	lookups *prometheus.CounterVec
	// hashes of passwords computed, for logins and new passwords.
	hashes prometheus.Counter
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{
		logins: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_logins_total",
			Help: "Logins by result: ok, ok_cached, bad_credentials, disabled, error.",
		}, []string{"result"}),
		lookups: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_account_lookups_total",
			Help: "Address lookups by result: cached, read, error.",
		}, []string{"result"}),
		hashes: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "popelago_account_password_hashes_total",
			Help: "Password hashes computed.",
		}),
	}
	if reg == nil {
		return m, nil
	}
	return m, errors.Join(reg.Register(m.logins), reg.Register(m.lookups), reg.Register(m.hashes))
}
