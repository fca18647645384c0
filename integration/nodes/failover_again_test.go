package nodes

import (
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// The local datacenter goes down, the server restarts meanwhile, and after its return the datacenter
// goes down once more before it has the missed writes. The server starts, serves all the time, and no
// session ever misses acknowledged mail.
func testFailoverAgain(t *testing.T) {
	if os.Getenv("TEST_CHAOS") == "" {
		t.Skip("takes five minutes: set TEST_CHAOS=1")
	}
	e := newPair(t, "dc2")
	c, cfg := e.cluster, e.config("dc1")
	var log *mailtest.Log
	cfg.Failover, cfg.FailoverAfter = []string{"dc2"}, time.Second
	cfg.ConnectTimeout = time.Second
	cfg.SpoolDir = t.TempDir()
	start := func() *cassandra.Store {
		log = &mailtest.Log{}
		cfg.Logger = slog.New(slog.NewTextHandler(log, nil))
		s, err := cassandra.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { s.Close() })
		return s
	}
	enginetest.Apply(t, cfg)
	s := start()
	alice := enginetest.Accounts(t, s, "alice")[0]
	mb := enginetest.Mailbox("again")
	var taken []mail.Message
	take := func() {
		t.Helper()
		m := enginetest.Message(100)
		enginetest.Put(t, s, m.ID, 100, mb)
		enginetest.Add(t, s, mb, m)
		taken = append(taken, m)
	}
	// serves waits until the store answers; the answers are right from the start.
	serves := func(where string) {
		t.Helper()
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			rows, err := enginetest.List(t.Context(), s, mb)
			if err == nil && len(rows) != len(taken) {
				t.Fatalf("%d messages are listed, want %d", len(rows), len(taken))
			}
			if err == nil && s.Origin() != where {
				err = fmt.Errorf("through %s, want %s", s.Origin(), where)
			}
			return err
		})
		mailtest.WaitFor(t, 10*time.Minute, func() error {
			if _, err := s.Domain(t.Context(), alice.Domain); err != nil {
				return err
			}
			_, err := s.AddressRows(t.Context(), alice)
			return err
		})
		for _, m := range taken {
			if err := enginetest.Retrieve(t, s, m.ID, 100); err != nil {
				t.Fatal(err)
			}
		}
	}
	take()
	serves("dc1")
	other := enginetest.Reopen(t, e.config("dc2"))
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, other, mb, taken[0]) })
	mailtest.WaitFor(t, 10*time.Minute, func() error { _, err := other.AddressRows(t.Context(), alice); return err })

	c.Node("dc1-1").Kill()
	serves("dc2")
	take()
	s.Close()
	s = start() // with the dc2 nodes of the earlier process
	serves("dc2")
	take()
	if err := wants(log, "failing over to another datacenter")(); err != nil {
		t.Error(err)
	}
	c.Node("dc1-1").Restart(t)
	serves("dc1")
	for range 20 {
		serves("dc1")
	}
	s.Close()
	s = start() // reads are still confirmed
	serves("dc1")
	if err := wants(log, "before this start")(); err != nil {
		t.Error(err)
	}
	take()
	each := s.Levels().Each
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, each, mb, taken[len(taken)-1]) })
	mailtest.WaitFor(t, 10*time.Minute, func() error { return enginetest.Has(t, other, mb, taken[len(taken)-1]) })

	c.Node("dc1-1").Kill()
	serves("dc2")
	take()
	c.Node("dc1-1").Restart(t)
	serves("dc1")
	mailtest.WaitFor(t, 10*time.Minute, wants(log, "no hints are left"))
	for range 20 {
		serves("dc1")
	}
	if _, err := os.Stat(filepath.Join(cfg.SpoolDir, "confirm-reads")); err == nil {
		t.Error("the file of the confirmation still exists")
	}
	s.Close()
	s = start()
	serves("dc1")
	if err := wants(log, "before this start")(); err == nil {
		t.Error("reads are confirmed again after a start")
	}
}
