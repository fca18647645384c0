package sitetest

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"time"

	"popelago/app"
	"popelago/config"
	"popelago/integration/servertest"
)

// JudgeAhead sets the clock of a judging server ahead, by less than the skew that stops the work.
const JudgeAhead = 4*time.Minute + 30*time.Second

// WindowSetting is the line of the configuration file for an in-flight window.
func WindowSetting(window time.Duration) string { return fmt.Sprintf("cassandra.window = %q", window) }

// StartJudge starts a server in dc1 that can judge every message: its clock is further ahead of all
// ids than the in-flight window. Background work waits while servers with another window run.
func (c *Cluster) StartJudge(t testing.TB, window time.Duration) *servertest.Server {
	t.Helper()
	judge, _ := c.StartAhead(t, "dc1", JudgeAhead, WindowSetting(window), `tasks.check_rate = 10000`)
	return judge
}

// StartAhead starts a server in this process with a clock ahead of all clocks. stop ends the server;
// otherwise the end of the test does.
func (c *Cluster) StartAhead(t testing.TB, datacenter string, ahead time.Duration, settings ...string) (srv *servertest.Server, stop func()) {
	t.Helper()
	srv, _, stop = c.StartClock(t, datacenter, func() time.Time { return time.Now().Add(ahead) }, settings...)
	return srv, stop
}

// StartClock starts a server in this process with the clock now. log has the server's log. stop
// ends the server; otherwise the end of the test does.
func (c *Cluster) StartClock(t testing.TB, datacenter string, now func() time.Time, settings ...string) (srv *servertest.Server, log *servertest.Output, stop func()) {
	t.Helper()
	srv = servertest.NewServer(t, c.Setup(datacenter, settings...))
	cfg, err := config.Load(srv.Conf, nil)
	if err != nil {
		t.Fatal(err)
	}
	log = &servertest.Output{}
	a, err := app.New(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)), app.WithNow(now))
	if err != nil {
		t.Fatal(err)
	}
	stop = sync.OnceFunc(func() {
		ctx, cancel := context.WithTimeout(context.Background(), servertest.StopLimit)
		defer cancel()
		if err := a.Stop(ctx); err != nil {
			t.Errorf("stop the server with a clock of its own: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		if t.Failed() {
			t.Logf("the server with a clock of its own said:\n%s", servertest.Tail(log.String(), 8000))
		}
	})
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	addrs := a.Addrs()
	srv.POP3, srv.LMTP = addrs["pop3"][0].String(), addrs["lmtp"][0].String()
	return srv, log, stop
}
