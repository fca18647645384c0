package app

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

// registerMetrics registers the metrics of the whole server. The label values come from the binary and the
// configuration: version, engine (embedded, cassandra), datacenter (empty without a cluster).
func (a *App) registerMetrics() error {
	info := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "popelago_app_info", Help: "Always 1. Labels: the version, the storage engine (embedded, cassandra) and the datacenter of the server.",
		ConstLabels: prometheus.Labels{"version": Version(), "engine": a.cfg.Store.Engine, "datacenter": a.engine.datacenter},
	})
	info.Set(1)
	inService := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "popelago_app_in_service", Help: "1 while the server is in service, 0 while the server is drained.",
	}, func() float64 {
		if a.drain.draining() {
			return 0
		}
		return 1
	})
	return errors.Join(a.registry.Register(info), a.registry.Register(inService))
}
