package cassandra_test

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// windowed holds a store with an ordinary in-flight window, and helpers that let time have passed. An
// old message has an age of three hours, a young message of half an hour.
type windowed struct {
	*testing.T
	cfg   cassandra.Config
	store *cassandra.Store
	cql   *gocql.Session
	long  int64 // a moment two hours ago, when old messages are removed
}

const (
	oldAge   = 3 * time.Hour
	youngAge = 30 * time.Minute
)

func openWindowed(t *testing.T, change func(*cassandra.Config)) *windowed {
	t.Helper()
	cfg := config(t)
	cfg.Keyspace = "test_windowed"
	cfg.Window = time.Hour
	cfg.FloorEvery = 1
	if change != nil {
		change(&cfg)
	}
	w := &windowed{T: t, cfg: cfg, cql: session(t, cfg), long: time.Now().Add(-2 * time.Hour).UnixMicro()}
	apply(t, cfg)
	// The schema looks as if it had been in use for some hours.
	if err := w.cql.Query(fmt.Sprintf("INSERT INTO %s.schema_version (name, version, applied) VALUES ('popelago', %d, %d)",
		cfg.Keyspace, cassandra.SchemaVersion(), w.long)).Exec(); err != nil {
		t.Fatal(err)
	}
	w.store = open(t, cfg)
	return w
}

// hourOf returns the hour of the trash of a moment.
func hourOf(us int64) int { return int(us / 3_600_000_000) }

// trashed writes a removal of moment at into the trash of two hours ago.
func (w *windowed) trashed(mb mail.MailboxID, at int64, ids ...mail.MessageID) {
	w.Helper()
	w.trashedIn(hourOf(w.long), mb, at, ids...)
}

// trashedIn writes a removal of moment at into the trash of an hour.
func (w *windowed) trashedIn(hour int, mb mail.MailboxID, at int64, ids ...mail.MessageID) {
	w.Helper()
	for some := range slices.Chunk(ids, 100) {
		b := w.cql.Batch(gocql.UnloggedBatch)
		for _, id := range some {
			b.Query("INSERT INTO "+w.cfg.Keyspace+".trash (datacenter, hour, shard, mailbox, message, removed_at) VALUES ('dc1', ?, ?, ?, ?, ?) USING TIMESTAMP ?",
				hour, int(mb[15]), gocql.UUID(mb), gocql.UUID(id), at, at)
		}
		if err := b.Exec(); err != nil {
			w.Fatal(err)
		}
	}
}

// removedLong removes messages with the timestamps of two hours ago.
func (w *windowed) removedLong(mb mail.MailboxID, ids ...mail.MessageID) {
	w.Helper()
	began := hourOf(time.Now().UnixMicro())
	w.remove(mb, ids...)
	for hour := began; hour <= hourOf(time.Now().UnixMicro()); hour++ {
		if err := w.cql.Query("DELETE FROM "+w.cfg.Keyspace+".trash WHERE datacenter = 'dc1' AND hour = ? AND shard = ?", hour, int(mb[15])).Exec(); err != nil {
			w.Fatal(err)
		}
	}
	w.trashed(mb, w.long, ids...)
}

// aged returns n ids of an age, a second apart.
func aged(age time.Duration, n int) []mail.MessageID {
	from := time.Now().Add(-age)
	source := mail.NewIDSource(func() time.Time { from = from.Add(time.Second); return from })
	ids := make([]mail.MessageID, n)
	for i := range ids {
		ids[i] = source.Next()
	}
	return ids
}

// stored puts content for some mailboxes, and an entry into each mailbox.
func (w *windowed) stored(id mail.MessageID, mailboxes ...mail.MailboxID) mail.MessageID {
	w.Helper()
	put(w, w.store, id, 10, mailboxes...)
	for _, mb := range mailboxes {
		add(w, w.store, mb, mail.Message{ID: id, Size: 10, Recipient: "a@example.test"})
	}
	return id
}

func (w *windowed) remove(mb mail.MailboxID, ids ...mail.MessageID) {
	w.Helper()
	if err := w.store.RemoveMessages(w.Context(), mb, ids); err != nil {
		w.Fatal(err)
	}
}

// sweep runs the reaper once.
func (w *windowed) sweep(wantContents int) {
	w.Helper()
	if r, err := w.store.Sweep(w.Context(), time.Now()); err != nil || r.Contents != wantContents || r.Blocked != 0 {
		w.Errorf("Sweep: %+v, %v; want %d contents", r, err, wantContents)
	}
}

// exists checks whether contents exist.
func (w *windowed) exists(want bool, ids ...mail.MessageID) {
	w.Helper()
	for _, id := range ids {
		err := retrieve(w.T, w.store, id, 10)
		if (err == nil) != want || err != nil && !errors.Is(err, store.ErrNotFound) {
			w.Errorf("content of %v ago: %v; want it there: %v", time.Since(id.Time()).Round(time.Minute), err, want)
		}
	}
}

// inTrash returns the mailboxes that removed a message, read from the trash.
func (w *windowed) inTrash(id mail.MessageID) (by []mail.MailboxID) {
	w.Helper()
	rows := w.cql.Query("SELECT mailbox, message FROM " + w.cfg.Keyspace + ".trash").Iter()
	for mailbox, message := (gocql.UUID{}), (gocql.UUID{}); rows.Scan(&mailbox, &message); {
		if mail.MessageID(message) == id {
			by = append(by, mail.MailboxID(mailbox))
		}
	}
	if err := rows.Close(); err != nil {
		w.Fatal(err)
	}
	return by
}

// givenUp returns the mailboxes that removed a message, read from its content.
func (w *windowed) givenUp(id mail.MessageID) []mail.MailboxID {
	w.Helper()
	rows, err := w.store.ContentRows(w.Context(), []mail.MessageID{id})
	if err != nil {
		w.Fatal(err)
	}
	return rows[id].Removed
}

// inShard returns a mailbox whose removals are in a shard of the trash.
func inShard(shard, n byte) mail.MailboxID { return mail.MailboxID{0: n, 6: 0x50, 8: 0x80, 15: shard} }

// The reaper reclaims messages that are older than the window and were removed a window ago. Younger
// messages and removals keep their content and their trash.
func TestReaperLeavesTheYoung(t *testing.T) {
	w := openWindowed(t, nil)
	mb := mailbox("young")
	old := aged(oldAge, 3)
	due, fresh, again := w.stored(old[0], mb), w.stored(old[1], mb), w.stored(old[2], mb)
	young := w.stored(aged(youngAge, 1)[0], mb)
	w.removedLong(mb, due, young)
	w.removedLong(mb, fresh, again)
	w.trashed(mb, time.Now().Add(-youngAge).UnixMicro(), fresh)
	w.remove(mb, again) // removed again: in the trash of the present hour, too
	w.sweep(2)          // due, and again: it was removed hours ago
	w.exists(false, due, again)
	w.exists(true, fresh, young)
	for id, want := range map[mail.MessageID]int{due: 0, fresh: 1, again: 1, young: 1} {
		if n := len(w.inTrash(id)); n != want {
			t.Errorf("a removal is in the trash %d times, want %d", n, want)
		}
	}
	// A limit from the caller counts, too: a removal of two hours ago is not five hours old.
	if err := w.store.Close(); err != nil { // the server would take a share of the work
		t.Fatal(err)
	}
	w = openWindowed(t, nil)
	w.removedLong(mb, w.stored(aged(oldAge, 1)[0], mb))
	if r, err := w.store.Sweep(t.Context(), time.Now().Add(-5*time.Hour)); err != nil || r.Contents != 0 {
		t.Errorf("%+v, %v", r, err)
	}
	w.sweep(1)
}

// If a page of the trash holds young and old removals, the young rows stay, on whichever page they
// stand, and the old rows go. An old row that is written again later stays, too.
func TestClearLeavesTheYoung(t *testing.T) {
	w := openWindowed(t, nil)
	first, middle, last := inShard(7, 1), inShard(7, 0x10), inShard(7, 0xF0)
	fresh := aged(oldAge+time.Hour, 3)
	now := time.Now().UnixMicro()
	w.trashed(first, now, fresh[0])
	gone := aged(oldAge, 1200)
	w.trashed(middle, w.long, gone...)
	w.trashed(middle, now, fresh[1])
	w.trashed(last, now, fresh[2])
	w.sweep(0)
	var left []mail.MessageID
	rows := w.cql.Query("SELECT message FROM " + w.cfg.Keyspace + ".trash").Iter()
	for id := (gocql.UUID{}); rows.Scan(&id); {
		left = append(left, mail.MessageID(id))
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(left, mail.MessageID.Compare)
	if !slices.Equal(left, fresh) {
		t.Errorf("%d removals are left in the trash, want the 3 young ones", len(left))
	}
	w.trashed(middle, w.long+2, gone[0]) // a little later than before
	if n := len(w.inTrash(gone[0])); n != 1 {
		t.Error("a repeated removal is not in the trash: the first one was cleared with a timestamp above its own")
	}
}

// A removal that failed after its trash row is no removal: the content does not name the mailbox, and
// the message stays. The content names the mailbox of a complete removal.
func TestReaperAndARemovalThatFailed(t *testing.T) {
	w := openWindowed(t, nil)
	failed, removed := mailbox("failed"), mailbox("removed")
	id := w.stored(aged(oldAge, 1)[0], failed, removed)
	w.removedLong(removed, id)
	w.trashed(failed, w.long, id)
	w.sweep(0)
	w.exists(true, id)
	if by := w.givenUp(id); !slices.Equal(by, []mail.MailboxID{removed}) {
		t.Errorf("noted as removed by %v, want %v alone", by, removed)
	}
	if by := w.inTrash(id); len(by) != 0 {
		t.Errorf("left in the trash: %v", by)
	}
}

// The search for orphans leaves whatever may belong to a delivery in flight: contents, and chunks
// without chunk 0.
func TestOrphansLeaveTheYoung(t *testing.T) {
	w := openWindowed(t, nil)
	old, young := aged(oldAge, 2), aged(youngAge, 2)
	mb := mailbox("orphans")
	put(t, w.store, old[0], 10, mb)
	put(t, w.store, young[0], 10, mb)
	for _, id := range []mail.MessageID{old[1], young[1]} { // chunk 0 is not written yet
		put(t, w.store, id, 300_000, mb)
		if err := w.cql.Query("DELETE FROM "+w.cfg.Keyspace+".content WHERE message = ? AND chunk = 0", gocql.UUID(id)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	chunks := func(id mail.MessageID) (n int) {
		if err := w.cql.Query("SELECT count(*) FROM "+w.cfg.Keyspace+".content WHERE message = ? AND chunk IN (0, 1)", gocql.UUID(id)).Scan(&n); err != nil {
			t.Fatal(err)
		}
		return n
	}
	r, err := w.store.SweepOrphans(t.Context(), time.Now(), time.Now())
	if err != nil || r.Contents != 1 {
		t.Errorf("%+v, %v; want 1 content", r, err)
	}
	w.exists(false, old[0])
	w.exists(true, young[0])
	if o, y := chunks(old[1]), chunks(young[1]); o != 0 || y != 1 {
		t.Errorf("parts without a beginning: %d old ones are left, want 0; %d young ones, want 1", o, y)
	}
	// Removed content waits for Sweep, which knows when the content is due.
	waiting := w.stored(aged(oldAge, 1)[0], mb)
	w.remove(mb, waiting)
	if r, err := w.store.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || r.Contents != 0 {
		t.Errorf("a removed message: %+v, %v", r, err)
	}
	w.exists(true, waiting)
}

// No delivery can add an entry below a floor, so the floor stays below all deliveries in flight.
func TestFloorLeavesTheYoung(t *testing.T) {
	w := openWindowed(t, nil)
	mb := mailbox("floor")
	gone := append(aged(oldAge, 3), aged(youngAge, 3)...)
	for _, id := range gone {
		add(t, w.store, mb, mail.Message{ID: id, Size: 10})
	}
	w.remove(mb, gone...)
	if r, err := w.store.RaiseFloors(t.Context()); err != nil || r.Raised != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	floor, err := w.store.Floor(t.Context(), mb)
	if age := time.Since(floor.Time()); err != nil || age < time.Hour || age > time.Hour+5*time.Minute {
		t.Errorf("the floor is of %v ago, %v; want an hour", age, err)
	}
	var written int64
	if err := w.cql.Query("SELECT WRITETIME(floor) FROM "+w.cfg.Keyspace+".floor WHERE mailbox = ?", gocql.UUID(mb)).Scan(&written); err != nil || written != floor.Micros() {
		t.Errorf("the floor was written with timestamp %d, %v; want its own time %d", written, err, floor.Micros())
	}
	late := mail.Message{ID: aged(50*time.Minute, 1)[0], Size: 10}
	add(t, w.store, mb, late)
	for _, s := range []*cassandra.Store{w.store, reopen(t, w.cfg)} {
		if rows, err := list(t.Context(), s, mb); err != nil || len(rows) != 1 || rows[0].ID != late.ID {
			t.Errorf("after a slow delivery: %v, %v", rows, err)
		}
	}
}

// The range tombstone below a floor has a later timestamp than the row tombstones there, so
// compaction can drop the row tombstones.
func TestFloorCoversRemovals(t *testing.T) {
	w := openWindowed(t, nil)
	mb := mailbox("covers")
	gone := aged(oldAge, 5)
	w.remove(mb, gone...)
	if r, err := w.store.RaiseFloors(t.Context()); err != nil || r.Raised != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	// A row with a timestamp above the present loses against the range tombstone.
	if err := w.cql.Query("INSERT INTO "+w.cfg.Keyspace+".mailbox (mailbox, segment, message, size) VALUES (?, 0, ?, 1) USING TIMESTAMP ?",
		gocql.UUID(mb), gocql.UUID(gone[0]), time.Now().Add(time.Minute).UnixMicro()).Exec(); err != nil {
		t.Fatal(err)
	}
	if m, err := w.store.Message(t.Context(), mb, gone[0]); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%+v, %v", m, err)
	}
}

// Background work deletes only what the same run read at ALL, from one partition at a time.
func TestBackgroundProvesAtAll(t *testing.T) {
	observed := enginetest.Observations{Judge: judgeStatement}
	w := openWindowed(t, func(cfg *cassandra.Config) { cfg.Observe = observed.Observe })
	mb, other := mailbox("proves"), mailbox("other")
	old := aged(oldAge, 40)
	for _, id := range old {
		w.stored(id, mb, other)
	}
	w.removedLong(mb, old[:20]...)
	w.removedLong(other, old[:10]...)
	w.remove(mb, old[20:30]...)
	orphan := aged(oldAge+time.Hour, 1)[0]
	put(t, w.store, orphan, 600_000, mb)
	// listMarks: the servers of each datacenter note the datacenters with trash in their own quorum.
	local := map[string]bool{
		"selectProgress": true, "selectScan": true, "scanContents": true, "selectVersions": true, "selectReplication": true, "listMarks": true,
	}
	for what, do := range map[string]func() error{
		"Sweep":        func() error { _, err := w.store.Sweep(t.Context(), time.Now()); return err },
		"SweepOrphans": func() error { _, err := w.store.SweepOrphans(t.Context(), time.Now(), time.Now()); return err },
		"RaiseFloors":  func() error { _, err := w.store.RaiseFloors(t.Context()); return err },
		"Trashed": func() error {
			_, err := w.store.Trashed(t.Context(), map[mail.MessageID][]mail.MailboxID{old[0]: {mb, other}})
			return err
		},
		"RemoveOrphans": func() error {
			_, err := w.store.RemoveOrphans(t.Context(), []store.ContentRow{{ID: old[30]}, {ID: orphan, Parts: []int{1}}}, time.Now())
			return err
		},
	} {
		observed.Take()
		if err := do(); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		n := 0
		for _, s := range observed.Take() {
			name := nameOf(s.CQL)
			if s.Consistency == "ALL" {
				n++
			}
			if byText[s.CQL] != "" && s.CQL[:6] == "SELECT" && !local[name] && s.Consistency != "ALL" {
				t.Errorf("%s reads at %s: %s", what, s.Consistency, name)
			}
		}
		if n == 0 {
			t.Errorf("%s read nothing at ALL", what)
		}
	}
	if broken := observed.Broken(); len(broken) > 0 {
		t.Errorf("%v", broken)
	}
}

// Two servers work off the removals of the last two mailboxes of a content at the same time, and
// neither sees the note of the other server before both have written theirs: the later server deletes
// the content.
func TestTwoReapersAtTheLastRemovals(t *testing.T) {
	var w *windowed
	var meanwhile atomic.Pointer[func()]
	w = openWindowed(t, func(cfg *cassandra.Config) {
		cfg.Heartbeat, cfg.MissedBeats = 200*time.Millisecond, slowMachine
		cfg.Observe = func(s cassandra.Statement) {
			seen.Observe(s)
			if nameOf(s.CQL) != "selectAlive" {
				return
			}
			if do := meanwhile.Swap(nil); do != nil {
				(*do)()
			}
		}
	})
	cfg := w.cfg
	cfg.Server, cfg.Observe = "other", seen.Observe
	second := reopen(t, cfg)
	var a, b mail.MailboxID // each in a shard of another server
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		a, b = mail.MailboxID{}, mail.MailboxID{}
		for shard := range 256 {
			name := fmt.Sprintf("trash/dc1/%d", shard)
			switch first := w.store.Mine(name); {
			case first == second.Mine(name):
				return errors.New("the servers do not know of each other yet")
			case first:
				a = inShard(byte(shard), 1)
			default:
				b = inShard(byte(shard), 2)
			}
		}
		return nil
	})
	id := w.stored(aged(oldAge, 1)[0], a, b)
	w.removedLong(a, id)
	w.removedLong(b, id)
	meanwhile.Store(new(func() {
		if r, err := second.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 0 {
			t.Errorf("the second server: %+v, %v", r, err)
		}
	}))
	r, err := w.store.Sweep(t.Context(), time.Now())
	if err != nil || meanwhile.Load() != nil || r.Contents != 1 {
		t.Errorf("the first server: %+v, %v", r, err)
	}
	w.exists(false, id)
}

// A change has a timestamp above the timestamps of the row, also if the clock of the server that
// wrote the row is ahead by as much as the engine permits.
func TestChangesAboveAClockThatWasAhead(t *testing.T) {
	w := openWindowed(t, nil)
	a := accounts(t, w.store, "ahead")[0]
	ahead := w.cfg
	ahead.Server, ahead.Heartbeat = "ahead", time.Hour
	ahead.Now = func() time.Time { return time.Now().Add(4 * time.Minute) }
	for _, s := range []*cassandra.Store{reopen(t, ahead), w.store} {
		hash, retention := "of the clock ahead", mail.Retention(48*time.Hour)
		change := store.AddressChange{Password: &hash, Settings: map[string]string{"a": hash, "b": hash}, AddTargets: []mail.Address{a}}
		if s == w.store {
			hash, retention = "of now", mail.Retention(time.Hour)
			change.Settings, change.AddTargets, change.RemoveTargets = map[string]string{"a": hash, "b": ""}, nil, []mail.Address{a}
		}
		if err := s.ChangeAddress(t.Context(), a, mail.MessageID{}, change); err != nil {
			t.Fatal(err)
		}
		if err := s.ChangeDomain(t.Context(), a.Domain, store.DomainChange{Retention: &retention, Settings: change.Settings}); err != nil {
			t.Fatal(err)
		}
		if err := s.SetProgress(t.Context(), "ahead", hash); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := w.store.AddressRows(t.Context(), a)
	if err != nil || len(rows) != 1 || rows[0].Password != "of now" || len(rows[0].Targets) != 0 || !maps.Equal(rows[0].Settings, map[string]string{"a": "of now"}) {
		t.Errorf("the address: %+v, %v", rows, err)
	}
	if d, err := w.store.Domain(t.Context(), a.Domain); err != nil || d.Retention != mail.Retention(time.Hour) || !maps.Equal(d.Settings, map[string]string{"a": "of now"}) {
		t.Errorf("the domain: %+v, %v", d, err)
	}
	// A domain that is removed and added again begins without the settings of the clock ahead.
	a = accounts(t, w.store, "added")[0]
	if err := reopen(t, ahead).ChangeDomain(t.Context(), a.Domain, store.DomainChange{Settings: map[string]string{"a": "ahead"}}); err != nil {
		t.Fatal(err)
	}
	if err := w.store.RemoveDomain(t.Context(), a.Domain); err != nil {
		t.Fatal(err)
	}
	if err := w.store.PutDomain(t.Context(), store.Domain{Name: a.Domain, Created: time.Now()}); err != nil {
		t.Fatal(err)
	}
	if d, err := w.store.Domain(t.Context(), a.Domain); err != nil || len(d.Settings) != 0 {
		t.Errorf("the domain, added again: %+v, %v", d, err)
	}
	if text, err := w.store.Progress(t.Context(), "ahead"); err != nil || text != "of now" {
		t.Errorf("progress: %q, %v", text, err)
	}
}
