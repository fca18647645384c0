package cassandra_test

import (
	"errors"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// A suspended machine wakes up with a clock that stood still, as did every other time source of the
// machine: the clocks of the nodes show the difference, long before the next heartbeat.
func TestSuspendedMachine(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	cfg.Heartbeat = time.Hour
	cfg.ClockEvery = 50 * time.Millisecond
	s := open(t, cfg)
	wantClock(t, s, nil)
	// The nodes continue for two hours while this machine stands still, and with the machine its last
	// comparison.
	cassandra.Suspend(s, 2*time.Hour)
	clock.Set(-2 * time.Hour)
	wantClock(t, s, store.ErrClock)
	clock.Set(0)
	wantClock(t, s, nil)
}

// Without a recent comparison an id waits for a comparison, and is not made if the comparison fails.
func TestIDsWaitForAComparison(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	cfg.Heartbeat = time.Hour
	cfg.ClockEvery = time.Hour // no comparison by itself
	s := open(t, cfg)
	wantClock(t, s, nil)
	src := mail.NewIDSource(clock.Now)
	if _, err := store.NextID(t.Context(), s, src); err != nil {
		t.Fatal(err)
	}
	cassandra.Suspend(s, 2*time.Hour)
	clock.Set(-2 * time.Hour)
	if err := s.Clock(); err != nil {
		t.Fatalf("before the comparison: %v", err)
	}
	cassandra.LastLook(s, 11*cfg.ClockEvery)
	if _, err := store.NextID(t.Context(), s, src); !errors.Is(err, store.ErrClock) {
		t.Fatalf("an id two hours too old was made: %v", err)
	}
	clock.Set(0)
	mailtest.WaitFor(t, 10*time.Minute, func() error { _, err := store.NextID(t.Context(), s, src); return err })
	clocks := 0
	seen.Take()
	for range 1000 {
		if _, err := store.NextID(t.Context(), s, src); err != nil {
			t.Fatal(err)
		}
	}
	if clocks = len(seen.Take()); clocks != 0 {
		t.Errorf("%d statements for 1000 ids", clocks)
	}
}
