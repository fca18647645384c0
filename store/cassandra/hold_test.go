package cassandra_test

import (
	"sync/atomic"
	"testing"

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
	if err := session(t, cfg).Query("DELETE held FROM "+cfg.Keyspace+".floor WHERE mailbox = ?", gocql.UUID(mailbox("alice"))).Exec(); err != nil {
		t.Fatal(err)
	}
	remove(t, floors, alice, removed)
	if r, err := floors.RaiseFloors(t.Context()); err != nil || r.Raised != 1 {
		t.Errorf("the floor does not rise after the hold: %+v, %v", r, err)
	}
	wantList(t, "in the end", reopen(t, cfg), alice, kept...)
}
