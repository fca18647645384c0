package app

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"popelago/config"
	"popelago/mailtest"
)

// The page of metrics names every metric of a server. store/cassandra compares the section of its
// engine.
func TestMetricsPage(t *testing.T) {
	cfg := config.Dev(filepath.Join(t.TempDir(), "data"))
	cfg.POP3.Listen, cfg.POP3S.Listen, cfg.SMTP.Listen, cfg.LMTP.Listen = []string{"127.0.0.1:0"}, nil, nil, nil
	cfg.Metrics.Listen = nil
	cfg.Events.Enabled, cfg.Events.Webhooks = true, []string{"crm=http://127.0.0.1:1/"}
	cfg.Events.Keys = filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(cfg.Events.Keys, []byte("crm MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := New(t.Context(), cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Samples of the metrics with labels: a run of a job, and a connection.
	if _, err := a.tasks.Run(t.Context(), "floor"); err != nil {
		t.Fatal(err)
	}
	c, err := net.Dial("tcp", a.Addrs()["pop3"][0].String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if others := mailtest.GoldenMetrics(t, "../docs/metrics.md", a.registry); !slices.Equal(others, []string{"cassandra"}) {
		t.Errorf("the page has the sections %v beside those of a server, want cassandra only", others)
	}
}
