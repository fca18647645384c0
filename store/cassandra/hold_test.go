package cassandra_test

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store/cassandra"
	"popelago/task"
)

// The index of a mailbox is lost and rebuilt while the floor job visits the mailbox: the job has just
// found no entry when the entries come back. The entries stay.
func TestRebuildWhileTheFloorIsLookedAt(t *testing.T) {
	cfg := config(t)
	cfg.FloorEvery = 1
	var meanwhile atomic.Pointer[func()] // the clock is compared by statements at the same time
	watched := cfg
	watched.Server = "floor"
	watched.Observe = func(s cassandra.Statement) {
		seen.Observe(s)
		if nameOf(s.CQL) != "listSlice" || s.Consistency != "ALL" {
			return
		}
		if do := meanwhile.Swap(nil); do != nil {
			(*do)()
		}
	}
	s := open(t, cfg)
	floors := reopen(t, watched)
	alice := accounts(t, s, "alice")[0]
	removed := deliver(t, s, 10, alice)
	var kept []mail.MessageID
	for range 3 {
		kept = append(kept, deliver(t, s, 10, alice))
	}
	remove(t, floors, alice, removed)
	loseIndex(t, cfg)
	rebuild := func() {
		wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}, "unlisted 3/3")
	}
	meanwhile.Store(&rebuild)
	if r, err := floors.RaiseFloors(t.Context()); err != nil || r.Raised != 0 || meanwhile.Load() != nil {
		t.Errorf("the floor rose despite the hold: %+v, %v", r, err)
	}
	wantList(t, "afterwards", reopen(t, cfg), alice, kept...)

	// The hold ends, and the floor rises up to the lowest entry.
	remove(t, floors, alice, removed)
	if r, err := floors.RaiseFloors(t.Context()); err != nil || r.Raised != 0 {
		t.Errorf("the floor rose despite the hold: %+v, %v", r, err)
	}
	endHold(t, cfg, alice)
	remove(t, floors, alice, removed)
	if r, err := floors.RaiseFloors(t.Context()); err != nil || r.Raised != 1 {
		t.Errorf("the floor does not rise after the hold: %+v, %v", r, err)
	}
	wantList(t, "in the end", reopen(t, cfg), alice, kept...)
}

// endHold ends the hold of the floor of an account's mailbox.
func endHold(t *testing.T, cfg cassandra.Config, a mail.Address) {
	t.Helper()
	if err := session(t, cfg).Query("DELETE held FROM "+cfg.Keyspace+".floor WHERE mailbox = ?", gocql.UUID(mailbox(a.Local))).Exec(); err != nil {
		t.Fatal(err)
	}
}

// The index of a mailbox is lost and rebuilt while a removal of orphans has just found no entry, and looks
// into the trash. The contents stay: the mailbox is held, or its entries are found after the hold. The hold of
// one of two mailboxes is enough.
func TestRebuildWhileOrphansAreRemoved(t *testing.T) {
	for _, held := range []bool{true, false} {
		t.Run(fmt.Sprintf("held %v", held), func(t *testing.T) {
			cfg := config(t)
			var meanwhile atomic.Pointer[func()]
			cfg.Observe = func(s cassandra.Statement) {
				seen.Observe(s)
				if nameOf(s.CQL) != "selectNamed" {
					return
				}
				if do := meanwhile.Swap(nil); do != nil {
					(*do)()
				}
			}
			s := open(t, cfg)
			to := accounts(t, s, "alice", "bob")
			var kept []mail.MessageID
			for range 3 {
				kept = append(kept, deliver(t, s, 10, to...))
			}
			loseIndex(t, cfg)
			rebuild := func() {
				wantCheck(t, "rebuilding", s, task.CheckOptions{Address: to[0], Rebuild: true}, "unlisted 3/3")
				if !held {
					endHold(t, cfg, to[0])
				}
			}
			meanwhile.Store(&rebuild)
			r, err := s.SweepOrphans(t.Context(), time.Now(), time.Now())
			want := 0
			if held {
				want = 3
			}
			if err != nil || r.Contents != 0 || r.Held != want || meanwhile.Load() != nil {
				t.Errorf("%+v, %v", r, err)
			}
			wantList(t, "afterwards", s, to[0], kept...)
			for _, id := range kept {
				if err := retrieve(t, s, id, 10); err != nil {
					t.Error(err)
				}
			}
		})
	}
}
