package cassandra_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra"
)

// Deliveries around midnight on two servers, one clock ahead and one behind, arriving in any order;
// and a delivery by a server that is nearly a day ahead of the reader.
func TestBulkMidnight(t *testing.T) {
	cfg := config(t)
	first := open(t, cfg)
	ahead, behind := &mailtest.Clock{}, &mailtest.Clock{}
	ahead.Set(4 * time.Minute)
	behind.Set(-4 * time.Minute)
	cfgAhead, cfgBehind := cfg, cfg
	cfgAhead.Now, cfgBehind.Now = ahead.Now, behind.Now
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

// A mailbox was made bulk on two sides of a long cut: each server uses another moment. The list holds
// every message once, and removed messages stay removed on both sides.
func TestBulkTwoMoments(t *testing.T) {
	cfg := config(t)
	s1 := open(t, cfg)
	s2 := reopen(t, cfg)
	mb := mailbox("two moments")
	day := func(n int) time.Time {
		return time.Now().Add(-time.Duration(n) * 24 * time.Hour).Truncate(time.Microsecond)
	}
	first, second := day(6), day(3)
	var all []mail.Message
	for n := 7; n >= 0; n-- {
		of1, of2 := at(day(n)), at(day(n).Add(time.Second))
		addBulk(t, s2, mb, second, of2)
		addBulk(t, s1, mb, first, of1)
		all = append(all, of1, of2)
	}
	for _, s := range []*cassandra.Store{s1, s2, reopen(t, cfg)} {
		wantRows(t, s, mb, all...)
		for _, m := range all {
			if _, err := s.Message(t.Context(), mb, m.ID); err != nil {
				t.Errorf("%s: %v", m.ID, err)
			}
		}
	}
	both := func(ms ...mail.Message) {
		t.Helper()
		addBulk(t, s1, mb, first, ms...)
		addBulk(t, s2, mb, second, ms...)
	}
	both(all[2:12]...) // repeated by the other server: some messages are in two places now
	for i, s := range []*cassandra.Store{s1, s2, reopen(t, cfg)} {
		wantRows(t, s, mb, all[5*i:]...)
		if err := s.RemoveMessages(t.Context(), mb, idsOf(all[5*i:5*i+5]...)); err != nil {
			t.Fatal(err)
		}
	}
	both(all[2:12]...)
	for _, s := range []*cassandra.Store{s1, s2, reopen(t, cfg)} {
		wantRows(t, s, mb, all[15])
	}
}

// A server whose clock is days behind, or ahead, finds the day by the other clocks, and lists the
// mailbox. The server makes no mailbox bulk.
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

// Floors rise over the segments of days, and stop at the first live entry of any segment. A list then
// begins at the day of the floor.
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
		least := 1 + 1 + daysFrom(from) // the floor, the ordinary segment, and days
		fresh := reopen(t, cfg)
		seen.Take()
		if rows, err := list(t.Context(), fresh, mb); err != nil || len(rows) != len(want) {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		most := 1 + 1 + daysFrom(from) // more after midnight
		if n := len(seen.Take()); n < least || n > most {
			t.Errorf("login: %d statements, want %d to %d", n, least, most)
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
	// A range delete cleared each segment up to the floor.
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

// While the floor cannot rise, no read skips more tombstones than the removals of one day: a read of
// the whole mailbox would fail on this node, and the list would be read in slices.
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
		// A session removes all messages of its list.
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
	least := 1 + 1 + daysFrom(since) // the floor, the ordinary segment, and days
	seen.Take()
	rows, err := list(t.Context(), s, mb)
	if err != nil || len(rows) != 2 || rows[0].ID != bottom.ID || rows[1].ID != live.ID {
		t.Fatalf("%v, %v", rows, err)
	}
	most := 1 + 1 + daysFrom(since) // more after midnight
	if n := len(seen.Take()); n < least || n > most {
		t.Errorf("login: %d statements, want %d to %d", n, least, most)
	}

	ordinary := mailbox("stuck and ordinary")
	var gone []mail.MessageID
	for range perDay * nDays {
		gone = append(gone, ids.Next())
	}
	if err := s.RemoveMessages(t.Context(), ordinary, gone); err != nil {
		t.Fatal(err)
	}
	seen.Take()
	if _, err := list(t.Context(), s, ordinary); err != nil {
		t.Fatal(err)
	}
	if n := len(seen.Take()); n <= most {
		t.Errorf("an ordinary mailbox with as many removals took %d statements only: the test shows nothing", n)
	}
}
