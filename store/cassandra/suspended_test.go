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

// A machine that was suspended wakes up with a clock that stood still with all else that it could
// measure time by: the clocks of the nodes tell, long before the next heartbeat.
func TestSuspendedMachine(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	cfg.Heartbeat = time.Hour
	cfg.ClockEvery = 50 * time.Millisecond
	s := open(t, cfg)
	wantClock(t, s, nil)
	// The nodes go on for two hours while this machine, and so its last comparison, does not.
	cassandra.Suspend(s, 2*time.Hour)
	clock.Set(-2 * time.Hour)
	wantClock(t, s, store.ErrClock)
	clock.Set(0)
	wantClock(t, s, nil)
}

// Without a comparison lately an id waits for one, and is not made if there is none.
func TestIDsWaitForAComparison(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	cfg.Heartbeat = time.Hour
	cfg.ClockEvery = time.Hour // nobody looks
	s := open(t, cfg)
	wantClock(t, s, nil)
	src := mail.NewIDSource(clock.Now)
	if _, err := store.NextID(t.Context(), s, src); err != nil {
		t.Fatal(err)
	}
	cassandra.Suspend(s, 2*time.Hour)
	clock.Set(-2 * time.Hour)
	if err := s.Clock(); err != nil {
		t.Fatalf("nothing tells yet that time went by: %v", err)
	}
	cassandra.LastLook(s, 11*cfg.ClockEvery)
	if _, err := store.NextID(t.Context(), s, src); !errors.Is(err, store.ErrClock) {
		t.Fatalf("an id two hours too old was made: %v", err)
	}
	clock.Set(0)
	mailtest.WaitFor(t, time.Minute, func() error { _, err := store.NextID(t.Context(), s, src); return err })
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
