package delivery_test

import (
	"errors"
	"testing"
	"time"

	"popelago/delivery/deliverytest"
	"popelago/maildrop"
	"popelago/store"
)

// fetched removes all messages of a mailbox, as a client does after fetching them.
func (s *server) fetched(t *testing.T, drop *maildrop.Maildrop) {
	t.Helper()
	for i := range drop.Len() {
		if err := drop.Mark(i + 1); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := drop.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// sweep runs the background work of both servers.
func sweep(t *testing.T, pair [2]*server) {
	t.Helper()
	for _, s := range pair {
		if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNodeBelowFloor: the sender repeats a message whose id is below the floor of the mailbox. The
// acknowledged message is listed.
func TestNodeBelowFloor(t *testing.T) {
	for how, result := range map[string]string{"unknown": "unknown", "lost": "unknown", "unavailable": "unavailable"} {
		t.Run(how, func(t *testing.T) {
			pair, domain := servers(t, 31*time.Minute)
			pair[0].add["alice"] = how
			first := pair[0].send(t, domain, host, deliverytest.Sample, "alice", "bob")
			deliverytest.Want(t, first, result, "ok")
			pair[1].share(t)
			if how == "unknown" {
				pair[1].fetched(t, pair[1].wantCopies(t, domain, "alice", 1))
			}
			deliverytest.Want(t, pair[0].send(t, domain, host, "later "+deliverytest.Sample, "bob"), "ok")
			delete(pair[0].add, "alice")
			deliverytest.Want(t, pair[0].send(t, domain, host, "later "+deliverytest.Sample, "alice"), "ok")
			pair[1].fetched(t, pair[1].wantCopies(t, domain, "alice", 1))
			pair[1].fetched(t, pair[1].wantCopies(t, domain, "bob", 2))
			if report, err := pair[1].RaiseFloors(t.Context()); err != nil || report.Raised != 2 {
				t.Fatalf("floors: %+v, %v", report, err)
			}
			sweep(t, pair)

			res := pair[1].send(t, domain, host, deliverytest.Sample, "alice", "bob")
			deliverytest.Want(t, res, "ok", "ok")
			deliverytest.WantAnew(t, res, first)
			pair[1].wantCopies(t, domain, "alice", 1)
			pair[1].wantCopies(t, domain, "bob", 0) // who was known to have it
		})
	}
}

// TestNodeSecondRowLate: the first of two recipients removes a message, and background work runs,
// before the row of the second recipient is written: in the same delivery, or in a repetition.
func TestNodeSecondRowLate(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(map[bool]string{false: "at once", true: "again"}[again], func(t *testing.T) {
			pair, domain := servers(t, 0)
			clear := func() {
				pair[1].fetched(t, pair[1].wantCopies(t, domain, "alice", 1))
				sweep(t, pair)
				sweep(t, pair)
			}
			if again {
				pair[0].add["bob"] = "unavailable"
			} else {
				pair[0].between = clear
			}
			res := pair[0].send(t, domain, host, deliverytest.Sample, "alice", "bob")
			if again {
				deliverytest.Want(t, res, "ok", "unavailable")
				clear()
				pair[1].share(t)
				first := res
				if res = pair[1].send(t, domain, host, deliverytest.Sample, "alice", "bob"); res.ID != first.ID {
					t.Errorf("stored as %s, before as %s", res.ID, first.ID)
				}
			}
			deliverytest.Want(t, res, "ok", "ok")
			drop := pair[1].wantCopies(t, domain, "bob", 1)
			pair[1].wantCopies(t, domain, "alice", 0)

			// The content is reclaimed after the second recipient has removed the message.
			pair[1].fetched(t, drop)
			sweep(t, pair)
			if _, _, err := pair[1].OpenContent(t.Context(), res.ID, ""); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the content in the end: %v", err)
			}
		})
	}
}
