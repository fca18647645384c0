package cassandra_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// shares counts how many of 300 pieces of work fall to each store. It fails unless each piece falls
// to exactly one store.
func shares(stores ...*cassandra.Store) ([]int, error) {
	counts := make([]int, len(stores))
	for i := range 300 {
		owners := 0
		for j, s := range stores {
			if s.Mine(fmt.Sprint("work/", i)) {
				owners++
				counts[j]++
			}
		}
		if owners != 1 {
			return counts, fmt.Errorf("work %d falls to %d servers", i, owners)
		}
	}
	return counts, nil
}

// wantShares waits until the stores share all work, and each has at least least pieces.
func wantShares(t *testing.T, least int, stores ...*cassandra.Store) []int {
	t.Helper()
	var counts []int
	mailtest.WaitFor(t, 10*time.Minute, func() (err error) {
		if counts, err = shares(stores...); err != nil {
			return err
		}
		for i, n := range counts {
			if n < least {
				return fmt.Errorf("server %d has %d of 300 pieces of work", i, n)
			}
		}
		return nil
	})
	return counts
}

// slowMachine is a number of missed heartbeats that even a very slow machine stays below.
const slowMachine = 6000

// beating returns a configuration with short pauses between heartbeats.
func beating(t *testing.T) cassandra.Config {
	cfg := config(t)
	cfg.Heartbeat, cfg.MissedBeats = 200*time.Millisecond, slowMachine
	return cfg
}

func TestServersShareWork(t *testing.T) {
	cfg := beating(t)
	s1 := open(t, cfg)
	wantShares(t, 300, s1)
	s2, s3 := reopen(t, cfg), reopen(t, cfg)
	before := wantShares(t, 60, s1, s2, s3)
	var first []bool
	for i := range 300 {
		first = append(first, s1.Mine(fmt.Sprint("work/", i)))
	}
	if err := s3.Close(); err != nil {
		t.Fatal(err)
	}
	after := wantShares(t, 100, s1, s2)
	if after[0] < before[0] {
		t.Errorf("shares were %v, and are %v", before, after)
	}
	for i, had := range first { // work in flight stays with its server
		if had && !s1.Mine(fmt.Sprint("work/", i)) {
			t.Errorf("work %d moved though its server stayed", i)
		}
	}

	// A killed server leaves its row behind, until the row expires.
	ghost := gocql.MustRandomUUID()
	cql := session(t, cfg)
	if err := cql.Query("INSERT INTO "+cfg.Keyspace+".server (datacenter, id, clock) VALUES ('dc1', ?, ?)", ghost, time.Now().UnixMicro()).Exec(); err != nil {
		t.Fatal(err)
	}
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if counts, err := shares(s1, s2); err == nil {
			return fmt.Errorf("a third server has no share: %v", counts)
		}
		return nil
	})
	if err := cql.Query("DELETE FROM "+cfg.Keyspace+".server WHERE datacenter = 'dc1' AND id = ?", ghost).Exec(); err != nil {
		t.Fatal(err)
	}
	wantShares(t, 100, s1, s2)

	// A server with a wrong clock leaves its share to the other servers.
	late, _, _ := clocked(t, time.Hour)
	reopen(t, late)
	time.Sleep(2 * cfg.Heartbeat)
	wantShares(t, 100, s1, s2)
}

// Servers share the shards of the trash, and a server that stops leaves its shards to the remaining
// server.
func TestServersShareTrash(t *testing.T) {
	s1 := open(t, beating(t))
	s2 := reopen(t, beating(t))
	wantShares(t, 60, s1, s2)
	var gone []mail.Message
	removeOne := func(n int) {
		mb, m := mailbox(fmt.Sprint("trash", n)), message(10)
		put(t, s1, m.ID, 10, mb)
		add(t, s1, mb, m)
		if err := s1.RemoveMessages(t.Context(), mb, []mail.MessageID{m.ID}); err != nil {
			t.Fatal(err)
		}
		gone = append(gone, m)
	}
	left := func() (n int) {
		for _, m := range gone {
			switch err := retrieve(t, s1, m.ID, 10); {
			case err == nil:
				n++
			case !errors.Is(err, store.ErrNotFound):
				t.Fatal(err)
			}
		}
		return n
	}
	for i := range 100 {
		removeOne(i)
	}
	r1, err := s1.Sweep(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 100-r1.Contents || n == 0 || n == 100 {
		t.Errorf("the first server took %d contents, %d are left", r1.Contents, n)
	}
	r2, err := s2.Sweep(t.Context(), time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if n := left(); n != 0 || r1.Contents+r2.Contents != 100 || r1.Elsewhere+r2.Elsewhere != 256 {
		t.Errorf("two servers took %+v and %+v, %d are left", r1, r2, n)
	}

	for i := range 20 {
		removeOne(100 + i)
	}
	if err := s2.Close(); err != nil {
		t.Fatal(err)
	}
	wantShares(t, 300, s1)
	if r, err := s1.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 20 || r.Elsewhere != 0 || left() != 0 {
		t.Errorf("the remaining server took %+v, %v; %d are left", r, err, left())
	}
}

// A server looks for orphans; another server continues from the stored position.
func TestOrphansAreResumed(t *testing.T) {
	cfg := beating(t)
	s1 := open(t, cfg)
	cql := session(t, cfg)
	if err := cql.Query("DELETE FROM " + cfg.Keyspace + ".progress WHERE name = 'orphans/dc1'").Exec(); err != nil {
		t.Fatal(err)
	}
	var orphans []mail.MessageID
	for range 40 {
		id := ids.Next()
		put(t, s1, id, 10, mailbox("nobody"))
		orphans = append(orphans, id)
	}
	count := func() (n int) {
		for _, id := range orphans {
			if retrieve(t, s1, id, 10) == nil {
				n++
			}
		}
		return n
	}
	position := func() (token int64) {
		if err := cql.Query("SELECT position FROM " + cfg.Keyspace + ".progress WHERE name = 'orphans/dc1'").Scan(&token); err != nil {
			t.Fatal(err)
		}
		return token
	}
	// The stored position of a server that was killed in the middle: half of the tokens are done.
	half := "INSERT INTO " + cfg.Keyspace + ".progress (name, position, begun) VALUES ('orphans/dc1', 0, ?)"
	if err := cql.Query(half, time.Now().UnixMicro()).Exec(); err != nil {
		t.Fatal(err)
	}
	notDue := time.Now().Add(-time.Hour)
	r, err := s1.SweepOrphans(t.Context(), time.Now(), notDue)
	if err != nil || r.Looked != r.Contents || r.Contents == 0 || r.Contents == 40 || count() != 40-r.Contents {
		t.Errorf("the second half: %+v, %v; %d are left", r, err, count())
	}
	if token := position(); token != 1<<63-1 {
		t.Errorf("a finished search is at token %d", token)
	}
	if r, err := s1.SweepOrphans(t.Context(), time.Now(), notDue); err != nil || r != (store.OrphanReport{}) {
		t.Errorf("a search that is not due: %+v, %v", r, err)
	}
	// One of two servers does the search.
	s2 := reopen(t, cfg)
	wantShares(t, 60, s1, s2)
	r1, err1 := s1.SweepOrphans(t.Context(), time.Now(), time.Now())
	r2, err2 := s2.SweepOrphans(t.Context(), time.Now(), time.Now())
	if err := errors.Join(err1, err2); err != nil || r1.Elsewhere+r2.Elsewhere != 1 || r1.Contents+r2.Contents != 40-r.Contents || count() != 0 {
		t.Errorf("two servers: %+v, %+v, %v; %d are left", r1, r2, err, count())
	}
}

// The search for orphans keeps to its rate, and ends with its context.
func TestOrphansArePaced(t *testing.T) {
	cfg := config(t)
	cfg.ScanRate = 20
	s := open(t, cfg)
	for range 10 {
		put(t, s, ids.Next(), 1, mailbox("nobody"))
	}
	start := time.Now()
	r, err := s.SweepOrphans(t.Context(), time.Now(), time.Now().Add(time.Hour))
	if took := time.Since(start); err != nil || r.Looked != 10 || took < 500*time.Millisecond {
		t.Errorf("%+v, %v in %v", r, err, took)
	}
}

// removeBehind removes a message by a server whose clock is behind.
func removeBehind(t *testing.T, cfg cassandra.Config, behind time.Duration, mb mail.MailboxID, id mail.MessageID) {
	t.Helper()
	cfg.Now = func() time.Time { return time.Now().Add(-behind) }
	s := reopen(t, cfg)
	if err := s.RemoveMessages(t.Context(), mb, []mail.MessageID{id}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// A removal by a server whose clock is behind is in the present hour of the trash all the same.
func TestTrashOfAClockThatIsBehind(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb, m := mailbox("late trash"), at(time.Now().Add(-6*time.Hour))
	put(t, s, m.ID, 10, mb)
	add(t, s, mb, m)
	worked := workedOff(t, cfg, mb)
	removeBehind(t, cfg, 4*time.Hour, mb, m.ID)
	var hour, last int
	hours := session(t, cfg).Query("SELECT hour FROM " + cfg.Keyspace + ".trash").Iter()
	for hours.Scan(&hour) {
		last = max(last, hour)
	}
	if err := hours.Close(); err != nil || last < worked {
		t.Errorf("the removal is in hour %d, %v; the hours before %d were worked off", last, err, worked)
	}
	if r, err := s.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// workedOff writes into the table of progress that the trash of a mailbox was worked off up to the
// present hour, and returns the hour.
func workedOff(t *testing.T, cfg cassandra.Config, mb mail.MailboxID) (hour int) {
	t.Helper()
	hour = int(time.Now().UnixMicro() / 3_600_000_000)
	if err := session(t, cfg).Query("INSERT INTO "+cfg.Keyspace+".progress (name, position) VALUES (?, ?) USING TIMESTAMP ?",
		fmt.Sprintf("trash/dc1/%d", mb[15]), hour, hour).Exec(); err != nil {
		t.Fatal(err)
	}
	return hour
}

// A removal by a server whose clock is a day behind stands in two hours of the trash, and the first was worked off. The search
// for orphans leaves the content until the hour of the removal is worked off.
func TestOrphansLeaveTrashOfAClockThatIsBehind(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb, m := mailbox("late trash"), at(time.Now().Add(-48*time.Hour))
	put(t, s, m.ID, 10, mb)
	add(t, s, mb, m)
	workedOff(t, cfg, mb)
	removeBehind(t, cfg, 24*time.Hour, mb, m.ID)
	if r, err := s.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || r.Contents != 0 {
		t.Errorf("the search for orphans: %+v, %v", r, err)
	}
	if r, err := s.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 1 {
		t.Errorf("%+v, %v", r, err)
	}
}

// The reaper finds a removal in an hour of the trash that was worked off before.
func TestLateTrash(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb, late, other := mailbox("late trash"), at(time.Now().Add(-6*time.Hour)), message(10)
	for _, m := range []mail.Message{late, other} {
		put(t, s, m.ID, 10, mb)
		add(t, s, mb, m)
	}
	hour := workedOff(t, cfg, mb)
	if err := s.RemoveMessages(t.Context(), mb, []mail.MessageID{late.ID}); err != nil {
		t.Fatal(err)
	}
	cql := session(t, cfg)
	for _, statement := range []string{
		fmt.Sprintf("DELETE FROM %s.trash WHERE datacenter = 'dc1' AND hour IN (%d, %d) AND shard = %d", cfg.Keyspace, hour, hour+1, mb[15]),
		fmt.Sprintf("INSERT INTO %s.trash (datacenter, hour, shard, mailbox, message, removed_at) VALUES ('dc1', %d, %d, %s, %s, %d)",
			cfg.Keyspace, hour-4, mb[15], gocql.UUID(mb), late.ID, time.Now().Add(-4*time.Hour).UnixMicro()),
	} {
		if err := cql.Query(statement).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := s.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 0 {
		t.Fatalf("the trash of four hours ago was worked off: %+v, %v", r, err)
	}
	r, err := s.SweepOrphans(t.Context(), time.Now(), time.Now().Add(time.Hour))
	if err != nil || r.Contents != 1 {
		t.Errorf("%+v, %v", r, err)
	}
	if err := retrieve(t, s, late.ID, 10); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("content removed four hours ago: %v", err)
	}
	if err := retrieve(t, s, other.ID, 10); err != nil {
		t.Errorf("content in use: %v", err)
	}
}

// Another datacenter works off the trash of a datacenter that was written off.
func TestWrittenOff(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb, m := mailbox("written off"), message(10)
	put(t, s, m.ID, 10, mb)
	add(t, s, mb, m)
	// A removal as dc2 writes it.
	cql := session(t, cfg)
	now := time.Now().UnixMicro()
	for _, q := range []struct {
		cql    string
		values []any
	}{
		{"INSERT INTO " + cfg.Keyspace + ".trash (datacenter, hour, shard, mailbox, message, removed_at) VALUES ('dc2', ?, ?, ?, ?, ?)",
			[]any{now / 3_600_000_000, int(mb[15]), gocql.UUID(mb), gocql.UUID(m.ID), now}},
		{"DELETE FROM " + cfg.Keyspace + ".mailbox WHERE mailbox = ? AND segment = 0 AND message = ?", []any{gocql.UUID(mb), gocql.UUID(m.ID)}},
	} {
		if err := cql.Query(q.cql, q.values...).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	if r, err := s.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 0 {
		t.Fatalf("trash of another datacenter: %+v, %v", r, err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.WrittenOff = []string{"dc2"}
	s = reopen(t, cfg)
	if r, err := s.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 1 {
		t.Errorf("the trash of the datacenter that was written off: %+v, %v", r, err)
	}
	cfg.WrittenOff = []string{"dc1"}
	if _, err := cassandra.Open(t.Context(), cfg); err == nil {
		t.Error("a server can write off its own datacenter")
	}
}

// A datacenter that was in the keyspace, or was written off in another datacenter, is searched for removals by
// servers whose settings and keyspace name it no longer.
func TestTrashOfALostDatacenter(t *testing.T) {
	cfg := config(t)
	cfg.WrittenOff = []string{"dc2"}
	s := open(t, cfg)
	cql := session(t, cfg)
	for range 2 {
		if _, err := s.Sweep(t.Context(), time.Now()); err != nil { // notes dc1 and dc2
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	cfg.WrittenOff = nil
	s = reopen(t, cfg)
	mb, m := mailbox("lost"), mail.Message{ID: ids.Next(), Size: 10, Recipient: "lost@example.test"}
	put(t, s, m.ID, 10, mb)
	add(t, s, mb, m)
	// A removal as dc2 wrote it.
	now := time.Now().UnixMicro()
	if err := cql.Query("INSERT INTO "+cfg.Keyspace+".trash (datacenter, hour, shard, mailbox, message, removed_at) VALUES ('dc2', ?, ?, ?, ?, ?)",
		now/3_600_000_000, int(mb[15]), gocql.UUID(mb), gocql.UUID(m.ID), now).Exec(); err != nil {
		t.Fatal(err)
	}
	if err := cql.Query("DELETE FROM "+cfg.Keyspace+".mailbox WHERE mailbox = ? AND segment = 0 AND message = ?", gocql.UUID(mb), gocql.UUID(m.ID)).Exec(); err != nil {
		t.Fatal(err)
	}
	if r, err := s.SweepOrphans(t.Context(), time.Now(), time.Now().Add(time.Hour)); err != nil || r.Contents != 0 {
		t.Errorf("SweepOrphans: %+v, %v; want no removal", r, err)
	}
	if err := retrieve(t, s, m.ID, 10); err != nil {
		t.Errorf("content of the removed message: %v", err)
	}
	trashed, err := s.Trashed(t.Context(), map[mail.MessageID][]mail.MailboxID{m.ID: {mb}})
	if err != nil || len(trashed[m.ID]) != 1 {
		t.Errorf("Trashed: %v, %v; want the mailbox", trashed, err)
	}
	var removed []mail.MessageID
	for r, err := range s.RemovedMessages(t.Context(), mb, time.Now().Add(-time.Hour)) {
		if err != nil {
			t.Fatal(err)
		}
		removed = append(removed, r.Message.ID)
	}
	if len(removed) != 1 || removed[0] != m.ID {
		t.Errorf("RemovedMessages: %v, want %v", removed, m.ID)
	}
	if r, err := s.Sweep(t.Context(), time.Now()); err != nil || r.Contents != 0 { // the work of another datacenter
		t.Errorf("Sweep: %+v, %v; want no removal", r, err)
	}
	var names []string
	rows := cql.Query("SELECT name FROM "+cfg.Keyspace+".mark WHERE list = ?", []byte("trash")).Iter()
	for name := []byte(nil); rows.Scan(&name); {
		names = append(names, string(name))
	}
	if err := rows.Close(); err != nil || !slices.Equal(names, []string{"dc1", "dc2"}) {
		t.Errorf("noted are %v, %v", names, err)
	}
}

// Servers find each other with their addresses, and a server that was stopped leaves the list.
func TestServersFindEachOther(t *testing.T) {
	cfg := beating(t)
	cfg.Server, cfg.Admin = "a", "https://a.example.test:8080"
	s1 := open(t, cfg)
	cfg.Server, cfg.Admin = "b", ""
	s2 := reopen(t, cfg)
	listed := func(s *cassandra.Store) map[string]store.Server {
		all, err := s.Servers(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		by := map[string]store.Server{}
		for _, one := range all {
			if one.Name == "a" || one.Name == "b" {
				by[one.Name] = one
			}
		}
		return by
	}
	by := listed(s2)
	if a := by["a"]; a.Admin != "https://a.example.test:8080" || a.Own || !a.Lost.IsZero() || a.Datacenter != "dc1" || a.Started.IsZero() {
		t.Errorf("%+v", by)
	}
	if b := by["b"]; !b.Own || b.Admin != "" || !b.Lost.IsZero() {
		t.Errorf("%+v", by)
	}
	if by := listed(s1); len(by) != 2 || !by["a"].Own || by["b"].Own {
		t.Errorf("%+v", by)
	}
	if err := s2.Close(); err != nil {
		t.Fatal(err)
	}
	if by := listed(s1); len(by) != 1 || !by["a"].Lost.IsZero() {
		t.Errorf("after the stop of b: %+v", by)
	}
}
