package task

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// metrics counts the runs of a Runner. Label values: job is the name of a Job, result a Result, what
// the name of a Count.
type metrics struct {
	runs    *prometheus.CounterVec   // job, result
	seconds *prometheus.HistogramVec // job
	running *prometheus.GaugeVec     // job
	success *prometheus.GaugeVec     // job
	done    *prometheus.CounterVec   // job, what
	blocked *prometheus.GaugeVec     // job
	// complete holds the end of the last run that left no work undone, or the start of the process. A job
	// that runs only on request has no sample before its first run.
	complete *prometheus.GaugeVec // job
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		runs: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_task_runs_total", Help: "Runs of background jobs by result: ok, error, panic, refused (the clock is wrong, servers differ, or it is too early), stopped, cancelled.",
		}, []string{"job", "result"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "popelago_task_run_seconds", Help: "Duration of runs of background jobs.",
			Buckets: prometheus.ExponentialBuckets(0.001, 10, 7),
		}, []string{"job"}),
		running: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "popelago_task_running", Help: "1 while a background job runs.",
		}, []string{"job"}),
		success: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Name: "popelago_task_last_success_timestamp_seconds", Help: "End of the last successful run of a background job, in seconds since 1970.",
		}, []string{"job"}),
		done: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "popelago_task_done_total", Help: "Work of background jobs, by the counts of their reports: mailboxes, raised, bulk, contents, octets, looked, messages, domains.",
		}, []string{"job", "what"}),
	}
	m.blocked = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "popelago_task_blocked", Help: "Parts of the work that the last run of a background job left undone, because replicas are away.",
	}, []string{"job"})
	m.complete = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Name: "popelago_task_last_complete_timestamp_seconds", Help: "End of the last run of a background job that left no work undone, or the start of the process, in seconds since 1970: all work that has waited longer is a backlog.",
	}, []string{"job"})
	if reg != nil {
		reg.MustRegister(m.runs, m.seconds, m.running, m.success, m.done, m.blocked, m.complete)
	}
	return m
}

// ended counts a run that ended.
func (m *metrics) ended(job string, result Result, report Report, took time.Duration) {
	m.running.WithLabelValues(job).Set(0)
	m.runs.WithLabelValues(job, string(result)).Inc()
	m.seconds.WithLabelValues(job).Observe(took.Seconds())
	if result == ResultOK {
		m.success.WithLabelValues(job).SetToCurrentTime()
		if report.count(blocked) == 0 {
			m.complete.WithLabelValues(job).SetToCurrentTime()
		}
	}
	m.blocked.WithLabelValues(job).Set(float64(report.count(blocked)))
	for _, c := range report.done() {
		m.done.WithLabelValues(job, c.Name).Add(float64(c.N))
	}
}
