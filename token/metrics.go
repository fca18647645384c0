package token

import "github.com/prometheus/client_golang/prometheus"

// metrics counts checks of tokens.
type metrics struct {
	// checks by result, see checkResult.
	checks *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{checks: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "popelago_token_checks_total",
		Help: "Access tokens of the administration API that were checked, by result: ok, malformed, unknown, revoked, expired, limited (too many wrong tokens from the address), error.",
	}, []string{"result"})}
	if reg == nil {
		return m, nil
	}
	return m, reg.Register(m.checks)
}
