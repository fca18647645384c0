package cassandra_test

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// addBulk adds messages to a mailbox that is bulk since a moment.
func addBulk(t testing.TB, s store.Store, mb mail.MailboxID, since time.Time, ms ...mail.Message) {
	t.Helper()
	var entries []store.Entry
	for _, m := range ms {
		entries = append(entries, store.Entry{Mailbox: mb, Message: m, Bulk: since})
	}
	for _, err := range s.AddMessages(t.Context(), entries) {
		if err != nil {
			t.Fatal(err)
		}
	}
}

// at makes a message of a moment.
func at(moment time.Time) mail.Message {
	return mail.Message{ID: mail.NewIDSource(func() time.Time { return moment }).Next(), Size: 10, Recipient: "alice@example.test"}
}

// daysFrom is how many days a list reads that begins at a moment and ends tomorrow.
func daysFrom(moment time.Time) int {
	day := func(at time.Time) int64 { return at.Unix() / 86400 }
	return int(day(time.Now().Add(24*time.Hour))-day(moment)) + 1
}

func idsOf(ms ...mail.Message) []mail.MessageID {
	list := make([]mail.MessageID, len(ms))
	for i, m := range ms {
		list[i] = m.ID
	}
	return list
}

// wantRows checks that a mailbox holds exactly some messages, whatever the pages.
func wantRows(t *testing.T, s store.Store, mb mail.MailboxID, want ...mail.Message) {
	t.Helper()
	for _, limit := range []int{1, 3, len(want), 5000} {
		var rows []mail.Message
		for after, more := (mail.MessageID{}), true; more; {
			var page []mail.Message
			var err error
			page, more, err = s.ListMessages(t.Context(), mb, after, limit)
			if err != nil {
				t.Fatal(err)
			}
			if more && len(page) == 0 {
				t.Fatal("an empty page says that there is more")
			}
			for _, m := range page {
				m.Origin = ""
				rows, after = append(rows, m), m.ID
			}
		}
		if !slices.Equal(rows, want) {
			t.Fatalf("in pages of %d: %d rows, want %d, or others:\n%v\n%v", limit, len(rows), len(want), rows, want)
		}
	}
}

// sorted puts messages in the order of their ids.
func sorted(ms ...mail.Message) []mail.Message {
	return slices.SortedFunc(slices.Values(ms), func(a, b mail.Message) int { return a.ID.Compare(b.ID) })
}

// segmentsOf tells in which segments of a mailbox a message has a row.
func segmentsOf(t *testing.T, cfg cassandra.Config, mb mail.MailboxID, m mail.Message) (segments []int) {
	t.Helper()
	if cfg.Keyspace == "" {
		cfg.Keyspace = cassandra.DefaultKeyspace
	}
	rows := session(t, cfg).Query("SELECT mailbox, segment, message, size FROM " + cfg.Keyspace + ".mailbox").Iter()
	var mailbox mail.MailboxID
	var segment int
	var id mail.MessageID
	var size *int64
	for rows.Scan((*[16]byte)(&mailbox), &segment, (*[16]byte)(&id), &size) {
		if mailbox == mb && id == m.ID && size != nil {
			segments = append(segments, segment)
		}
	}
	if err := rows.Close(); err != nil {
		t.Fatal(err)
	}
	return segments
}

// A mailbox becomes bulk while sessions are open on two servers, and one of them goes on as
// before, for longer than it should. Nothing is hidden, and what is removed on either stays away.
func TestBulkSwitch(t *testing.T) {
	cfg := config(t)
	knows := open(t, cfg)
	late := reopen(t, cfg)
	mb := mailbox("switched")
	want := []mail.Message{message(1), message(2), message(3)}
	add(t, knows, mb, want...)
	wantRows(t, late, mb, want...)
	wantRows(t, knows, mb, want...)

	since, err := knows.SetBulk(t.Context(), mb)
	if err != nil {
		t.Fatal(err)
	}
	fresh, stray := message(4), message(5)
	addBulk(t, knows, mb, since, fresh)
	add(t, late, mb, stray)
	if got, day := segmentsOf(t, cfg, mb, fresh), int(fresh.ID.Time().Unix()/86400); !slices.Equal(got, []int{day}) {
		t.Fatalf("a message of a bulk mailbox is in segments %v, want %d", got, day)
	}
	if got := segmentsOf(t, cfg, mb, stray); !slices.Equal(got, []int{0}) {
		t.Fatalf("a message from a server that has not heard is in segments %v", got)
	}
	never := []mail.Message{message(6), message(7)}
	// Removals by a server that has not listed the mailbox since.
	if err := late.RemoveMessages(t.Context(), mb, idsOf(want[0], fresh, never[0], never[1])); err != nil {
		t.Fatal(err)
	}
	addBulk(t, knows, mb, since, fresh, never[0])
	add(t, late, mb, want[0], never[1])
	for _, s := range []*cassandra.Store{knows, late, reopen(t, cfg)} {
		wantRows(t, s, mb, want[1], want[2], stray)
	}
	again := message(8)
	addBulk(t, late, mb, since, again)
	if err := knows.RemoveMessages(t.Context(), mb, idsOf(want[1], stray, again)); err != nil {
		t.Fatal(err)
	}
	add(t, late, mb, stray)
	addBulk(t, late, mb, since, again)
	for _, s := range []*cassandra.Store{knows, late, reopen(t, cfg)} {
		wantRows(t, s, mb, want[2])
	}
}

// With a real window: who found a mailbox ordinary may rely on it, but only for messages that
// are older than any switch it cannot know of.
func TestBulkSwitchAhead(t *testing.T) {
	cfg := config(t)
	cfg.Window, cfg.Heartbeat = time.Hour, time.Hour
	knows := open(t, cfg)
	late := reopen(t, cfg)
	mb := mailbox("ahead")
	old := message(1)
	add(t, knows, mb, old)
	wantRows(t, late, mb, old)
	begun := time.Now()
	since, err := knows.SetBulk(t.Context(), mb)
	if err != nil {
		t.Fatal(err)
	}
	if since.Before(begun.Add(time.Hour)) || since.After(time.Now().Add(time.Hour)) || since.Nanosecond()%1000 != 0 {
		t.Fatalf("bulk since %v, set at %v", since, begun)
	}
	now, then := message(2), at(since)
	addBulk(t, knows, mb, since, now, then)
	if got := segmentsOf(t, cfg, mb, now); !slices.Equal(got, []int{0}) {
		t.Errorf("a message before the moment is in segments %v", got)
	}
	if got := segmentsOf(t, cfg, mb, then); len(got) != 1 || got[0] == 0 {
		t.Errorf("a message of the moment is in segments %v", got)
	}
	seen.take()
	if err := late.RemoveMessages(t.Context(), mb, idsOf(old, now)); err != nil {
		t.Fatal(err)
	}
	if writes, reads := spent(seen.take()); len(writes) != 2 || len(reads) != 0 {
		t.Errorf("removal by who need not know: %d writes, %d reads", len(writes), len(reads))
	}
	wantRows(t, knows, mb, then)
	if err := late.RemoveMessages(t.Context(), mb, idsOf(then)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*cassandra.Store{knows, late} {
		wantRows(t, s, mb)
	}
}

// Deliveries around midnight on two servers, one clock ahead and one behind, in whatever order
// they arrive; and one by a server that is nearly a day ahead of the reader.
func TestBulkMidnight(t *testing.T) {
	cfg := config(t)
	first := open(t, cfg)
	ahead, behind := &shifted{}, &shifted{}
	ahead.set(4 * time.Minute)
	behind.set(-4 * time.Minute)
	cfgAhead, cfgBehind := cfg, cfg
	cfgAhead.Now, cfgBehind.Now = ahead.now, behind.now
	s1, s2 := reopen(t, cfgAhead), reopen(t, cfgBehind)
	mb := mailbox("midnight")
	midnight := time.Now().UTC().Truncate(24 * time.Hour)
	since := midnight.Add(-36 * time.Hour)
	var all []mail.Message
	for i, d := range []time.Duration{
		0, time.Millisecond, -time.Microsecond, -100 * time.Nanosecond, 4 * time.Minute, -4 * time.Minute,
		24*time.Hour - time.Microsecond, -24 * time.Hour, -24*time.Hour - 100*time.Nanosecond, 100 * time.Nanosecond,
		-36 * time.Hour, -36*time.Hour - time.Microsecond,
	} {
		m := at(midnight.Add(d))
		all = append(all, m)
		addBulk(t, []*cassandra.Store{s1, s2}[i%2], mb, since, m)
	}
	farAhead := at(time.Now().Add(24*time.Hour - time.Minute))
	addBulk(t, s1, mb, since, farAhead)
	all = sorted(append(all, farAhead)...)
	for _, s := range []*cassandra.Store{s1, s2, first} {
		wantRows(t, s, mb, all...)
	}
	for i, m := range all {
		if got, err := first.Message(t.Context(), mb, m.ID); err != nil || got.ID != m.ID {
			t.Errorf("message %d: %v, %v", i, got, err)
		}
	}
	if err := s2.RemoveMessages(t.Context(), mb, idsOf(all[2:11]...)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*cassandra.Store{s1, s2, first} {
		wantRows(t, s, mb, all[0], all[1], all[11], all[12])
	}
}

// A server whose clock is days behind, or ahead, knows by the other clocks which day it is, and
// lists what it is asked for. It makes no mailbox bulk.
func TestBulkWrongClock(t *testing.T) {
	good := open(t, config(t))
	mb := mailbox("wrong clock")
	since := time.Now().Add(-49 * time.Hour)
	want := []mail.Message{at(time.Now().Add(-48 * time.Hour)), message(1)}
	addBulk(t, good, mb, since, want...)
	for _, ahead := range []time.Duration{-100 * time.Hour, 1000 * time.Hour} {
		cfg, _, _ := clocked(t, ahead)
		cfg.Server = fmt.Sprint(ahead.Hours())
		s := reopen(t, cfg)
		wantClock(t, s, store.ErrClock)
		wantRows(t, s, mb, want...)
		_, err := s.SetBulk(t.Context(), mb)
		wantClass(t, "SetBulk with a wrong clock", err, store.ErrUnavailable)
		gone := message(2)
		addBulk(t, good, mb, since, gone)
		wantRows(t, s, mb, append(want, gone)...)
		if err := s.RemoveMessages(t.Context(), mb, idsOf(gone)); err != nil {
			t.Fatal(err)
		}
		wantRows(t, good, mb, want...)
	}
}

// Floors rise over the segments of days, and stop at whatever is alive in any segment. A list
// then begins at the day of the floor.
func TestBulkFloor(t *testing.T) {
	cfg := config(t)
	cfg.FloorEvery = 1
	s := open(t, cfg)
	mb := mailbox("floor")
	now := time.Now()
	day := func(n int) time.Time { return now.Add(time.Duration(n) * 24 * time.Hour) }
	since := day(-9)
	var days [][]mail.Message // of today, yesterday...
	for n := range 6 {
		days = append(days, []mail.Message{at(day(-n)), at(day(-n).Add(time.Millisecond)), at(day(-n).Add(2 * time.Millisecond))})
		addBulk(t, s, mb, since, days[n]...)
	}
	stray := at(day(-3).Add(-time.Millisecond))
	add(t, s, mb, stray)
	want := sorted(slices.Concat(slices.Concat(days...), []mail.Message{stray})...)
	wantRows(t, s, mb, want...)
	remove := func(ms ...mail.Message) {
		t.Helper()
		if err := s.RemoveMessages(t.Context(), mb, idsOf(ms...)); err != nil {
			t.Fatal(err)
		}
		want = slices.DeleteFunc(want, func(m mail.Message) bool { return slices.Contains(ms, m) })
		wantRows(t, s, mb, want...)
	}
	raise := func() time.Time {
		t.Helper()
		if r, err := s.RaiseFloors(t.Context()); err != nil || r.Raised != 1 {
			t.Fatalf("RaiseFloors: %+v, %v", r, err)
		}
		wantRows(t, s, mb, want...)
		floor, err := s.Floor(t.Context(), mb)
		if err != nil {
			t.Fatal(err)
		}
		return floor.Time()
	}
	login := func(from time.Time) {
		t.Helper()
		statements := 1 + 1 + daysFrom(from) // the floor, the ordinary segment, and days
		fresh := reopen(t, cfg)
		seen.take()
		if rows, err := list(t.Context(), fresh, mb); err != nil || len(rows) != len(want) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if n := len(seen.take()); n != statements {
			t.Errorf("login: %d statements, want %d", n, statements)
		}
	}
	remove(slices.Concat(days[5], days[4], days[3], days[2])...)
	floor := raise()
	if !floor.Before(stray.ID.Time()) || stray.ID.Time().Sub(floor) > time.Second {
		t.Errorf("a floor at %v, the first message in the ordinary segment at %v", floor, stray.ID.Time())
	}
	login(floor)
	addBulk(t, s, mb, since, slices.Concat(days[5], days[3])...)
	wantRows(t, s, mb, want...)

	remove(stray)
	floor = raise()
	if first := days[1][0].ID.Time(); !floor.Before(first) || first.Sub(floor) > time.Second {
		t.Errorf("a floor at %v, the first message in the segment of a day at %v", floor, first)
	}
	login(floor)
	remove(days[1]...)
	remove(days[0]...)
	begun := time.Now()
	if floor = raise(); floor.Before(begun.Add(-time.Second)) {
		t.Errorf("a floor at %v, with nothing alive", floor)
	}
	add(t, s, mb, stray)
	addBulk(t, s, mb, since, slices.Concat(days...)...)
	wantRows(t, s, mb)
	// Each segment was cleared by a range up to the floor.
	for _, m := range []mail.Message{stray, days[4][0], days[1][0], days[0][0]} {
		if got := segmentsOf(t, cfg, mb, m); got != nil {
			t.Errorf("a removed message is in segments %v", got)
		}
	}
	late := message(1)
	addBulk(t, s, mb, since, late)
	want = []mail.Message{late}
	wantRows(t, s, mb, want...)
	login(floor)
}

// While the floor cannot rise no read has to skip more than what was removed on one day: a read
// of the whole would fail on this node, and then be made in slices.
func TestBulkTombstones(t *testing.T) {
	cfg := config(t)
	s := open(t, cfg)
	mb := mailbox("stuck")
	const perDay, nDays = 1300, 4
	now := time.Now()
	since := now.Add(-nDays * 24 * time.Hour)
	bottom := at(since.Add(time.Second))
	addBulk(t, s, mb, since, bottom)
	for n := range nDays {
		source := mail.NewIDSource(func() time.Time { return now.Add(-time.Duration(n) * 24 * time.Hour) })
		var ms []mail.Message
		for range perDay {
			ms = append(ms, mail.Message{ID: source.Next(), Size: 1, Recipient: "alice@example.test"})
		}
		addBulk(t, s, mb, since, ms...)
		// A session: what it lists it removes.
		if rows, err := list(t.Context(), s, mb); err != nil || len(rows) != perDay+1 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		if err := s.RemoveMessages(t.Context(), mb, idsOf(ms...)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.RaiseFloors(t.Context()); err != nil {
		t.Fatal(err)
	}
	live := message(1)
	addBulk(t, s, mb, since, live)
	s = reopen(t, cfg)
	seen.take()
	rows, err := list(t.Context(), s, mb)
	if err != nil || len(rows) != 2 || rows[0].ID != bottom.ID || rows[1].ID != live.ID {
		t.Fatalf("%v, %v", rows, err)
	}
	want := 1 + 1 + daysFrom(since) // the floor, the ordinary segment, and days
	if n := len(seen.take()); n != want {
		t.Errorf("login: %d statements, want %d", n, want)
	}

	ordinary := mailbox("stuck and ordinary")
	var gone []mail.MessageID
	for range perDay * nDays {
		gone = append(gone, ids.Next())
	}
	if err := s.RemoveMessages(t.Context(), ordinary, gone); err != nil {
		t.Fatal(err)
	}
	seen.take()
	if _, err := list(t.Context(), s, ordinary); err != nil {
		t.Fatal(err)
	}
	if n := len(seen.take()); n <= want {
		t.Errorf("an ordinary mailbox with as many removals took %d statements only: this test shows nothing", n)
	}
}

// RaiseFloors tells which mailboxes have grown: by what a session listed, page by page, and by
// removals while the floor could not rise.
func TestGrown(t *testing.T) {
	cfg := config(t)
	cfg.BulkAfter, cfg.FloorEvery = 20, 5
	s := open(t, cfg)
	grown := func() map[mail.MailboxID]string {
		t.Helper()
		r, err := s.RaiseFloors(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		found := map[mail.MailboxID]string{}
		for _, g := range r.Grown {
			found[g.Mailbox] = g.Recipient
		}
		return found
	}
	pages := func(mb mail.MailboxID, limit int) []mail.Message {
		t.Helper()
		var all []mail.Message
		for after, more := (mail.MessageID{}), true; more; {
			var rows []mail.Message
			var err error
			if rows, more, err = s.ListMessages(t.Context(), mb, after, limit); err != nil {
				t.Fatal(err)
			}
			all = append(all, rows...)
			after = all[len(all)-1].ID
		}
		return all
	}
	large, small, stuck, drained := mailbox("large"), mailbox("small"), mailbox("stuck"), mailbox("drained")
	for range 19 {
		add(t, s, small, message(1))
		add(t, s, large, message(1))
	}
	for range 5 { // pages of several sessions do not add up
		pages(small, 10)
		pages(large, 7)
	}
	if found := grown(); len(found) > 0 {
		t.Fatalf("grown: %v", found)
	}
	add(t, s, large, message(1))
	pages(large, 7)
	pages(large, 100)
	if found := grown(); len(found) != 1 || found[large] != "alice@example.test" {
		t.Fatalf("grown: %v, want %v", found, large)
	}
	if found := grown(); len(found) > 0 {
		t.Fatalf("grown again, without a session: %v", found)
	}

	// Below the messages that are removed one stays, or none. Once the floor rises up to that.
	add(t, s, stuck, message(1))
	for i := range 5 {
		for _, mb := range []mail.MailboxID{stuck, drained} {
			var some []mail.Message
			for range 6 {
				some = append(some, message(1))
			}
			add(t, s, mb, some...)
			pages(mb, 100)
			if err := s.RemoveMessages(t.Context(), mb, idsOf(some...)); err != nil {
				t.Fatal(err)
			}
		}
		found := grown()
		if want := i == 4; (found[stuck] != "") != want || len(found) > 1 {
			t.Fatalf("after %d removals: grown: %v", 6*(i+1), found)
		}
	}
	since, err := s.SetBulk(t.Context(), stuck)
	if err != nil {
		t.Fatal(err)
	}
	var some []mail.Message
	for range 30 {
		some = append(some, message(1))
	}
	addBulk(t, s, stuck, since, some...)
	pages(stuck, 100)
	if err := s.RemoveMessages(t.Context(), stuck, idsOf(some...)); err != nil {
		t.Fatal(err)
	}
	if found := grown(); len(found) > 0 {
		t.Errorf("grown though it is bulk: %v", found)
	}
}

// A message is not written while the marker cannot be.
func TestBulkPausedNode(t *testing.T) {
	cfg := config(t)
	cfg.Timeout = 300 * time.Millisecond
	s := open(t, cfg)
	node := cluster.Get(t).Node("dc1-1")
	mb, since := mailbox("paused"), time.Now().Add(-time.Hour)
	m := message(1)
	if err := node.Pause(); err != nil {
		t.Fatal(err)
	}
	resume := func() {
		if err := node.Resume(); err != nil {
			t.Error(err)
		}
	}
	defer resume()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	entry := store.Entry{Mailbox: mb, Message: m, Bulk: since}
	wantClass(t, "AddMessages", s.AddMessages(ctx, []store.Entry{entry})[0], store.ErrUnavailable)
	_, err := s.SetBulk(ctx, mb)
	wantClass(t, "SetBulk", err, store.ErrOutcomeUnknown)
	resume()
	mailtest.WaitFor(t, time.Minute, func() error { return s.AddMessages(t.Context(), []store.Entry{entry})[0] })
	wantRows(t, s, mb, m)
}
