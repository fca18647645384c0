package cassandra_test

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
)

// A mailbox with far more removals than one read may skip can be listed. Once the floor has risen, a
// login costs as much as on a fresh mailbox, also for a store opened just now.
func TestManyRemovals(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb := mailbox("drained")
	var alive []mail.Message
	live := func(n int) {
		for range n {
			alive = append(alive, message(1))
		}
		add(t, s, mb, alive[len(alive)-n:]...)
	}
	drain := func(n int) { // a removal leaves the same tombstone with or without a row
		gone := make([]mail.MessageID, n)
		for i := range gone {
			gone[i] = ids.Next()
		}
		if err := s.RemoveMessages(t.Context(), mb, gone); err != nil {
			t.Fatal(err)
		}
	}
	check := func(what string, most int) {
		t.Helper()
		seen.Take()
		rows := []mail.Message{}
		for after, more := (mail.MessageID{}), true; more; {
			page, again, err := s.ListMessages(t.Context(), mb, after, 4)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			if again && len(page) == 0 {
				t.Fatalf("%s: an empty page announces a further page", what)
			}
			for _, m := range page {
				m.Origin = ""
				rows = append(rows, m)
				after = m.ID
			}
			more = again
		}
		if !slices.Equal(rows, alive) {
			t.Errorf("%s: %d rows, want %d", what, len(rows), len(alive))
		}
		if n := len(seen.Take()); n > most {
			t.Errorf("%s: %d statements, want up to %d", what, n, most)
		}
	}
	drain(4500)
	live(5)
	drain(3000)
	live(3)
	check("all removals to be skipped", 300)
	if _, err := s.RaiseFloors(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := s.RemoveMessages(t.Context(), mb, []mail.MessageID{alive[0].ID, alive[1].ID, alive[2].ID, alive[3].ID, alive[4].ID}); err != nil {
		t.Fatal(err)
	}
	alive = alive[5:]
	drain(2500)
	live(2)
	if _, err := s.RaiseFloors(t.Context()); err != nil {
		t.Fatal(err)
	}
	s = reopen(t, cfg)
	check("after the floor has risen", 300)

	// With no live entry in between the floor rises to the end.
	if err := s.RemoveMessages(t.Context(), mb, []mail.MessageID{alive[0].ID, alive[1].ID, alive[2].ID, alive[3].ID, alive[4].ID}); err != nil {
		t.Fatal(err)
	}
	alive = nil
	drain(2500)
	if _, err := s.RaiseFloors(t.Context()); err != nil {
		t.Fatal(err)
	}
	live(3)
	s = reopen(t, cfg)
	check("the floor above all removals, first login", 2)
	check("the floor above all removals", 1)
	if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
		t.Errorf("a trash with many rows: %v", err)
	}
	if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
		t.Errorf("a trash with many former rows: %v", err)
	}
	check("after the trash was worked off", 1)
}
