package nodes

import (
	"fmt"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"popelago/cassandratest"
	"popelago/mailtest"
	"popelago/store/enginetest"
)

// A message is accepted in the third datacenter while the first is down, and seen through the second.
// Only the third has the hint for the message. While the third is away, statements do not return to the first;
// while the third cannot be asked, the first is not trusted.
func TestFailoverOfThree(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("takes five minutes: set TEST_CHAOS=1")
	}
	c := cassandratest.Start(t, cassandratest.Options{
		Datacenters: []cassandratest.Datacenter{{Name: "dc1", Nodes: 1}, {Name: "dc2", Nodes: 1}, {Name: "dc3", Nodes: 1}},
		Settings:    map[string]string{"hints_flush_period": "1000ms"},
	})
	e := &pair{T: t, cluster: c}
	cfg := e.config("dc1")
	cfg.Replication = map[string]int{"dc1": 1, "dc2": 1, "dc3": 1}
	var log mailtest.Log
	cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
	cfg.Failover, cfg.FailoverAfter, cfg.ConnectTimeout = []string{"dc2"}, time.Second, time.Second
	cfg.SpoolDir = t.TempDir()
	enginetest.Apply(t, cfg)
	s, third := enginetest.Reopen(t, cfg), enginetest.Reopen(t, e.config("dc3"))
	mb, m := enginetest.Mailbox("three"), enginetest.Message(100)
	enginetest.Put(t, s, m.ID, 100, mb)
	enginetest.Add(t, s, mb, m)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, third, mb, m) })

	c.Node("dc1-1").Kill()
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "failing over to another datacenter"))
	m = enginetest.Message(100)
	enginetest.Put(t, third, m.ID, 100, mb)
	enginetest.Add(t, third, mb, m)
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, s, mb, m) })
	resume := enginetest.Pause(t, c.Node("dc3-1"))
	c.Node("dc1-1").Restart(t)
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "reads cannot be confirmed"))
	if err := enginetest.Has(t, s, mb, m); err != nil || s.Origin() != "dc2" {
		t.Fatalf("through %s: %v", s.Origin(), err)
	}
	resume()
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "are back: reads"))
	resume = enginetest.Pause(t, c.Node("dc3-1"))
	mailtest.WaitFor(t, 10*time.Minute, wants(&log, "cannot be asked"))
	missing := func() error {
		if strings.Contains(log.String(), "read alone again") {
			return enginetest.Has(t, s, mb, m)
		}
		return nil
	}
	if err := missing(); err != nil {
		t.Fatal(err)
	}
	resume()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if err := missing(); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(log.String(), "no hints are left") {
			return fmt.Errorf("reads are still confirmed:\n%s", log.String())
		}
		return nil
	})
	if err := enginetest.Has(t, s, mb, m); err != nil {
		t.Error(err)
	}
}
