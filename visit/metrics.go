package visit

import "github.com/prometheus/client_golang/prometheus"

// The subjects of notes, and the results.
const (
	whatLogin     = "login"
	whatRetrieval = "retrieval"

	resultWritten = "written"
	resultFailed  = "failed"
	resultDropped = "dropped"
)

// metrics counts notes.
type metrics struct {
	// notes by subject and result, see the constants.
	notes *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) (*metrics, error) {
	m := &metrics{notes: prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "popelago_visit_notes_total",
		Help: "Notes about visits by subject (login, retrieval) and result: written, failed, dropped (too many notes waited, or the server stopped). A message whose retrieval is not noted is kept longer.",
	}, []string{"what", "result"})}
	for _, what := range []string{whatLogin, whatRetrieval} {
		for _, result := range []string{resultWritten, resultFailed, resultDropped} {
			m.notes.WithLabelValues(what, result)
		}
	}
	if reg == nil {
		return m, nil
	}
	return m, reg.Register(m.notes)
}

func (m *metrics) count(v visit, result string) {
	m.notes.WithLabelValues(v.what, result).Add(float64(v.notes()))
}
