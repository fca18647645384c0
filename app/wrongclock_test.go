package app_test

import (
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"popelago/adminclient"
	"popelago/app"
	"popelago/mailtest"
)

// A wrong clock is one cause: the log has a single error line, and no further line or warning for
// each job, change or session. Each deferred message has its line in the log, as all messages have.
func TestWrongClockIsSaidOnce(t *testing.T) {
	cfg := devConfig(t)
	a := start(t, cfg)
	addAlice(t, a)
	deliver(t, a, "Subject: before\r\n\r\n")
	if err := a.Stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, ahead := range []time.Duration{-24 * time.Hour, 3650 * 24 * time.Hour} {
		var log mailtest.Log
		now := func() time.Time { return time.Now().Add(ahead) }
		a, err := app.New(t.Context(), cfg, slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn})), app.WithNow(now))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { a.Stop(context.Background()) })
		if err := a.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			c := beginText(t, a)
			c.Send("Subject: now\r\n\r\n.\r\n")
			c.Expect("451")
			c.Do("QUIT", "221")
			c = mailtest.Dial(t, a.Addrs()["pop3"][0].String())
			c.Expect("+OK")
			c.Do("QUIT", "+OK")
		}
		client := adminclient.Unix(cfg.AdminSocket())
		tasks, err := client.Tasks(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			for _, task := range tasks {
				_, _ = client.RunTask(t.Context(), task.Name, true) // refused
			}
			if _, err := client.AddDomain(t.Context(), "example.net"); err == nil {
				t.Error("a domain is added by a wrong clock")
			}
			if err := client.SetPassword(t.Context(), "alice@example.test", "another password"); err == nil {
				t.Error("a password is changed by a wrong clock")
			}
		}
		client.Close()
		if err := a.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		var errors, about int
		for line := range strings.Lines(log.String()) {
			if strings.Contains(line, " level=ERROR ") {
				errors++
			}
			if strings.Contains(line, "clock") && !strings.Contains(line, " msg=message ") {
				about++
			}
		}
		if errors != 1 || about != 1 {
			t.Errorf("%v ahead: %d errors, and %d lines about the clock:\n%s", ahead, errors, about, log.String())
		}
	}
}
