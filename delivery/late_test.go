package delivery_test

import (
	"errors"
	"testing"
	"time"

	"popelago/maildrop"
	"popelago/store"
)

// fetched removes all of a mailbox, as a client does that has fetched it.
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

// sweep does all that there is to do in the background of servers.
func sweep(t *testing.T, pair [2]*server) {
	t.Helper()
	for _, s := range pair {
		if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNodeBelowFloor: the sender repeats a message when the floor of the mailbox is above its id
// already. What is acknowledged then is listed.
func TestNodeBelowFloor(t *testing.T) {
	for how, result := range map[string]string{"unknown": "unknown", "lost": "unknown", "unavailable": "unavailable"} {
		t.Run(how, func(t *testing.T) {
			pair, domain := servers(t, 30*time.Second, 31*time.Minute)
			pair[0].add["alice"] = how
			first := pair[0].send(t, domain, host, sample, "alice", "bob")
			want(t, first, result, "ok")
			pair[1].share(t)
			if how == "unknown" {
				pair[1].fetched(t, pair[1].wantCopies(t, domain, "alice", 1))
			}
			want(t, pair[0].send(t, domain, host, "later "+sample, "bob"), "ok")
			delete(pair[0].add, "alice")
			want(t, pair[0].send(t, domain, host, "later "+sample, "alice"), "ok")
			pair[1].fetched(t, pair[1].wantCopies(t, domain, "alice", 1))
			pair[1].fetched(t, pair[1].wantCopies(t, domain, "bob", 2))
			if report, err := pair[1].RaiseFloors(t.Context()); err != nil || report.Raised != 2 {
				t.Fatalf("floors: %+v, %v", report, err)
			}
			sweep(t, pair)

			res := pair[1].send(t, domain, host, sample, "alice", "bob")
			want(t, res, "ok", "ok")
			wantAnew(t, res, first)
			pair[1].wantCopies(t, domain, "alice", 1)
			pair[1].wantCopies(t, domain, "bob", 0) // who was known to have it
		})
	}
}

// TestNodeSecondRowLate: a message for two is removed by the first, and all is cleared up behind
// that, before the row of the second is written: in the same trial, or in the sender's next.
func TestNodeSecondRowLate(t *testing.T) {
	for _, again := range []bool{false, true} {
		t.Run(map[bool]string{false: "at once", true: "again"}[again], func(t *testing.T) {
			pair, domain := servers(t, 30*time.Second, 0)
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
			res := pair[0].send(t, domain, host, sample, "alice", "bob")
			if again {
				want(t, res, "ok", "unavailable")
				clear()
				pair[1].share(t)
				first := res
				if res = pair[1].send(t, domain, host, sample, "alice", "bob"); res.ID != first.ID {
					t.Errorf("stored as %s, before as %s", res.ID, first.ID)
				}
			}
			want(t, res, "ok", "ok")
			drop := pair[1].wantCopies(t, domain, "bob", 1)
			pair[1].wantCopies(t, domain, "alice", 0)

			// When the second is done with it, too, it goes.
			pair[1].fetched(t, drop)
			sweep(t, pair)
			if _, _, err := pair[1].OpenContent(t.Context(), res.ID, ""); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("the content in the end: %v", err)
			}
		})
	}
}
