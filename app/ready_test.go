package app_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/app"
)

// ask returns the status and the body of an answer at the listener of the metrics.
func ask(t *testing.T, a *app.App, path string) (status int, body string) {
	t.Helper()
	resp, err := http.Get("http://" + a.Addrs()["metrics"][0].String() + path)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(text)
}

// wantUnready checks that both listeners answer 503 with exactly the reasons that begin with some words.
func wantUnready(t *testing.T, a *app.App, c *adminclient.Client, state string, reasons ...string) {
	t.Helper()
	status, body := ask(t, a, "/readyz")
	var refused *adminclient.Error
	if _, err := c.Ready(t.Context()); !errors.As(err, &refused) || refused.Status != http.StatusServiceUnavailable {
		t.Fatalf("the administration API: %v", err)
	}
	if status != http.StatusServiceUnavailable || !strings.HasPrefix(body, state+"\n") {
		t.Errorf("%d %q", status, body)
	}
	for _, text := range []string{body, refused.Error()} {
		for _, reason := range []string{"out of service: ", "storage: ", "clock: "} {
			want := false
			for _, r := range reasons {
				want = want || r+": " == reason
			}
			if strings.Contains(text, reason) != want {
				t.Errorf("%q in %q: want %t", reason, text, want)
			}
		}
	}
}

// A server is ready unless it is drained, cannot read its store, or does not trust its clock. The answers have
// the reasons.
func TestReadiness(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	c := adminclient.Unix(cfg.AdminSocket())
	defer c.Close()
	for path, want := range map[string]string{"/healthz": "ok\n", "/readyz": "serving\n"} {
		if status, body := ask(t, a, path); status != http.StatusOK || body != want {
			t.Errorf("%s: %d %q", path, status, body)
		}
	}
	a.Drain()
	wantUnready(t, a, c, adminclient.Draining, "out of service")
	if status, _ := ask(t, a, "/healthz"); status != http.StatusOK {
		t.Errorf("a drained server is healthy: %d", status)
	}
	a.Undrain()
	app.CloseStore(t, a)
	wantUnready(t, a, c, adminclient.Serving, "storage")
	if status, body := ask(t, a, "/healthz"); status != http.StatusServiceUnavailable || !strings.Contains(body, "cannot read its store") {
		t.Errorf("without a store: %d %q", status, body)
	}
	if _, err := c.Health(t.Context()); err == nil {
		t.Error("the administration API is healthy without a store")
	}
	a.Drain()
	wantUnready(t, a, c, adminclient.Draining, "out of service", "storage")
}

// A server with a wrong clock is healthy, and not ready.
func TestReadinessWithAWrongClock(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	late := func() time.Time { return time.Now().Add(-24 * time.Hour) }
	a, err := app.New(t.Context(), cfg, slog.New(slog.DiscardHandler), app.WithNow(late))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	c := adminclient.Unix(cfg.AdminSocket())
	defer c.Close()
	wantUnready(t, a, c, adminclient.Serving, "clock")
	if status, _ := ask(t, a, "/healthz"); status != http.StatusOK {
		t.Errorf("/healthz: %d", status)
	}
}
