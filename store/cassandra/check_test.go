package cassandra_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/task"
)

func remove(t *testing.T, s store.Engine, a mail.Address, ids ...mail.MessageID) {
	t.Helper()
	if err := s.RemoveMessages(t.Context(), mailbox(a.Local), ids); err != nil {
		t.Fatal(err)
	}
}

func sweep(t *testing.T, s store.Engine) {
	t.Helper()
	if _, err := s.Sweep(t.Context(), time.Now()); err != nil {
		t.Fatal(err)
	}
}

// loseIndex empties the index, and with the index the tombstones of all removals.
func loseIndex(t *testing.T, cfg cassandra.Config) {
	t.Helper()
	if err := session(t, cfg).Query("TRUNCATE " + cfg.Keyspace + ".mailbox").Exec(); err != nil {
		t.Fatal(err)
	}
}

var plainCheck, repairCheck = task.CheckOptions{}, task.CheckOptions{Repair: true}

// The index is lost. Rebuilding restores its messages, equal to the last octet, and no removed
// message: neither a message still in the trash nor a message whose trash was worked off.
func TestCheckRebuildsALostIndex(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	to := accounts(t, s, "alice", "bob")
	alice, bob := to[0], to[1]
	kept := []mail.MessageID{deliver(t, s, 10, alice), deliver(t, s, 600_000, alice, bob), deliver(t, s, 0, alice)}
	early, shared := deliver(t, s, 10, alice), deliver(t, s, 10, alice, bob)
	remove(t, s, alice, early, shared)
	sweep(t, s)
	late, sharedLate := deliver(t, s, 10, alice), deliver(t, s, 10, alice, bob)
	remove(t, s, alice, late, sharedLate)
	before, err := list(t.Context(), s, mailbox("alice"))
	if err != nil || len(before) != 3 {
		t.Fatalf("%v, %v", before, err)
	}
	wantCheck(t, "before", s, task.CheckOptions{Repair: true, Deep: true})

	loseIndex(t, cfg)
	wantCheck(t, "a lost index", s, plainCheck, "orphan 4/0", "unlisted 1/0")
	if report := wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}, "unlisted 3/3"); report.Removed != 3 {
		t.Errorf("%d messages were kept away, want 3: two shared messages and a message in the trash", report.Removed)
	}
	wantList(t, "after rebuilding", s, alice, kept...)
	after, err := list(t.Context(), s, mailbox("alice"))
	if err != nil || !slices.Equal(after, before) {
		t.Errorf("after rebuilding: %+v, %v\nwant %+v", after, err, before)
	}
	wantCheck(t, "rebuilding the other", s, task.CheckOptions{Address: bob, Rebuild: true}, "unlisted 3/3")
	wantList(t, "after rebuilding", s, bob, kept[1], shared, sharedLate)
	sweep(t, s)
	wantCheck(t, "afterwards", s, task.CheckOptions{Deep: true})
}

// One of two mailboxes removes a shared message, and the tombstone of the removal expires. Neither a
// repair nor rebuilding restores the message.
func TestCheckKeepsRemovedOnesAway(t *testing.T) {
	for _, swept := range []bool{false, true} {
		cfg := config(t)
		s := open(t, cfg)
		to := accounts(t, s, "alice", "bob")
		alice, bob := to[0], to[1]
		id := deliver(t, s, 10, alice, bob)
		remove(t, s, alice, id)
		if swept {
			sweep(t, s)
		}
		loseIndex(t, cfg)
		add(t, s, mailbox("bob"), entry(id, 10, bob))
		wantCheck(t, "a repair", s, repairCheck)
		if report := wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}); report.Removed != 1 {
			t.Errorf("%d were kept away, want 1", report.Removed)
		}
		wantList(t, "afterwards", s, alice)
		wantList(t, "afterwards", s, bob, id)
		if err := retrieve(t, s, id, 10); err != nil {
			t.Error(err)
		}
	}
}

// A tombstone alone keeps a message removed: an added entry stays away, and rebuilding notices.
func TestRebuildReadsBack(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	to := accounts(t, s, "alice", "bob")
	alice, bob := to[0], to[1]
	id := deliver(t, s, 10, alice, bob)
	remove(t, s, alice, id)
	for _, table := range []string{"trash", "content"} { // the trash row came too late
		if err := session(t, cfg).Query("TRUNCATE " + cfg.Keyspace + "." + table).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	put(t, s, id, 10, mailbox("alice"), mailbox("bob"))
	wantCheck(t, "a look", s, repairCheck, "unlisted 1/0")
	if report := wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}); report.Removed != 1 {
		t.Errorf("%d were kept away, want 1", report.Removed)
	}
	wantList(t, "afterwards", s, alice)
	wantList(t, "afterwards", s, bob, id)
}

// Entries below the floor stay unlisted, even if their content exists.
func TestRebuildKeepsToTheFloor(t *testing.T) {
	cfg := config(t)
	cfg.FloorEvery = 1
	s := open(t, cfg)
	to := accounts(t, s, "alice", "bob")
	alice, bob := to[0], to[1]
	low, removed := deliver(t, s, 10, alice, bob), deliver(t, s, 10, alice)
	remove(t, s, alice, low, removed)
	if report, err := s.RaiseFloors(t.Context()); err != nil || report.Raised != 1 {
		t.Fatalf("%+v, %v", report, err)
	}
	high := ids.Next()
	put(t, s, high, 10, mailbox("alice"), mailbox("bob"))
	add(t, s, mailbox("bob"), entry(high, 10, bob))
	for _, table := range []string{"trash", "mailbox"} {
		if err := session(t, cfg).Query("TRUNCATE " + cfg.Keyspace + "." + table).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	report := wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}, "unlisted 1/1")
	if report.Removed != 2 {
		t.Errorf("%d were kept away, want 2", report.Removed)
	}
	wantList(t, "after rebuilding", s, alice, high)
}

// The check finds missing chunks without reading any chunk, and superfluous chunks, too.
func TestCheckFindsMissingChunks(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	alice := accounts(t, s, "alice")[0]
	whole, torn, headless := deliver(t, s, 600_000, alice), deliver(t, s, 600_000, alice), deliver(t, s, 600_000, alice)
	remove := func(id mail.MessageID, chunk int) {
		t.Helper()
		err := session(t, cfg).Query(fmt.Sprintf("DELETE FROM %s.content WHERE message = %s AND chunk = %d", cfg.Keyspace, id, chunk)).Exec()
		if err != nil {
			t.Fatal(err)
		}
	}
	remove(torn, 2)
	remove(headless, 0)
	wantCheck(t, "a look", s, plainCheck, "dangling 1/0", "damaged 1/0", "orphan 1/0")
	wantCheck(t, "a deep look", s, task.CheckOptions{Deep: true}, "dangling 1/0", "damaged 1/0", "orphan 1/0")
	report := wantCheck(t, "a repair", s, repairCheck, "dangling 1/1", "damaged 1/0", "orphan 1/1")
	if report.Problems() != 1 {
		t.Errorf("problems: %d, want 1", report.Problems())
	}
	wantList(t, "after the repair", s, alice, whole, torn)
	wantCheck(t, "afterwards", s, plainCheck, "damaged 1/0")
	if _, err := s.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := retrieve(t, s, whole, 600_000); err != nil {
		t.Error(err)
	}
	var n int
	if err := session(t, cfg).Query("SELECT count(*) FROM " + cfg.Keyspace + ".content").Scan(&n); err != nil || n != 5 {
		t.Errorf("%d chunks are left, %v; want 3 and 2", n, err)
	}
}

// After a lost index nearly all content looks orphaned. The sweep reclaims nothing.
func TestSweepOrphansStopsAtALostIndex(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	alice := accounts(t, s, "alice")[0]
	var all []mail.MessageID
	for range 150 {
		all = append(all, deliver(t, s, 10, alice))
	}
	loseIndex(t, cfg)
	report, err := s.SweepOrphans(t.Context(), time.Now(), time.Now())
	wantClass(t, "SweepOrphans", err, store.ErrCorrupt)
	if report.Contents != 0 {
		t.Errorf("SweepOrphans: %+v", report)
	}
	if report := wantCheck(t, "a repair", s, repairCheck, "orphan 150/0"); report.Counts[task.KindOrphan].Held != 150 {
		t.Errorf("%+v", report.Counts)
	}
	wantCheck(t, "rebuilding", s, task.CheckOptions{Address: alice, Rebuild: true}, "unlisted 150/150")
	wantList(t, "after rebuilding", s, alice, all...)

	// The sweep reclaims a smaller number, once the hold of the rebuild has ended.
	for range 50 {
		put(t, s, ids.Next(), 10, mailbox("alice"))
	}
	if report, err := s.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || report.Contents != 0 || report.Held != 50 {
		t.Errorf("SweepOrphans: %+v, %v; want 50 contents held", report, err)
	}
	endHold(t, cfg, alice)
	if report, err := s.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || report.Contents != 50 {
		t.Errorf("SweepOrphans: %+v, %v; want 50 contents", report, err)
	}
}
