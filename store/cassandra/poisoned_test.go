package cassandra_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
)

// A clock that is far off for a while leaves no trace: no change of the directory and no id has a
// time of the wrong clock, and new ids have the present time once the clock is right again.
func TestNothingOfAWrongClockLasts(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	s := open(t, cfg)
	wantClock(t, s, nil)
	source := mail.NewIDSource(clock.Now)
	a := mail.Address{Local: "a", Domain: "poison.test"}
	durability := mail.DurabilityLocal
	changes := map[string]func() error{
		"an id":     func() error { _, err := store.NextID(t.Context(), s, source); return err },
		"PutDomain": func() error { return s.PutDomain(t.Context(), store.Domain{Name: a.Domain}) },
		"ChangeDomain": func() error {
			return s.ChangeDomain(t.Context(), a.Domain, store.DomainChange{Durability: &durability})
		},
		"RemoveDomain": func() error { return s.RemoveDomain(t.Context(), a.Domain) },
		"ChangeAddress": func() error {
			return s.ChangeAddress(t.Context(), a, mail.MessageID{}, store.AddressChange{Kind: new(store.KindAccount)})
		},
		"SetBulk": func() error { _, err := s.SetBulk(t.Context(), mailbox("poison")); return err },
	}
	for _, off := range []time.Duration{100 * 24 * time.Hour, -100 * 24 * time.Hour} {
		clock.Set(off)
		for what, change := range changes {
			if err := change(); !errors.Is(err, store.ErrClock) {
				t.Errorf("%v off: %s: %v, want %v", off, what, err, store.ErrClock)
			}
		}
		clock.Set(0)
		wantClock(t, s, nil)
		for what, change := range changes {
			if err := change(); err != nil {
				t.Errorf("%v off, and right again: %s: %v", off, what, err)
			}
		}
		id, err := store.NextID(t.Context(), s, source)
		if err != nil || time.Since(id.Time()).Abs() > time.Hour {
			t.Errorf("%v off, and right again: an id of %v, %v", off, id.Time(), err)
		}
	}
}

// Removals work while the clock is wrong, and the trash of such a removal has the time of the
// cluster.
func TestRemovalByAWrongClock(t *testing.T) {
	cfg, clock, _ := clocked(t, 0)
	s := open(t, cfg)
	mb := mailbox("removed")
	for _, off := range []time.Duration{100 * 24 * time.Hour, -100 * 24 * time.Hour} {
		clock.Set(0)
		wantClock(t, s, nil)
		m := message(10)
		put(t, s, m.ID, 10, mb)
		add(t, s, mb, m)
		clock.Set(off)
		if err := s.RemoveMessages(t.Context(), mb, []mail.MessageID{m.ID}); err != nil {
			t.Fatal(err)
		}
		add(t, s, mb, m) // the removal has a later timestamp
		if rows, err := list(t.Context(), s, mb); err != nil || len(rows) != 0 {
			t.Fatalf("%v off: %d messages are left, %v", off, len(rows), err)
		}
		clock.Set(0)
		wantClock(t, s, nil)
		// The time of the removal is as exact as the comparison of the clocks: some milliseconds may have to pass.
		mailtest.WaitFor(t, time.Minute, func() error {
			report, err := s.Sweep(t.Context(), time.Now().Add(time.Minute))
			if err != nil || report.Contents != 1 {
				return fmt.Errorf("%v off: reclaimed: %+v, %w; want 1 content", off, report, err)
			}
			return nil
		})
	}
}
