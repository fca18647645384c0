package cassandra_test

import (
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store/cassandra"
)

// daysFrom counts the days of a list from a moment to tomorrow.
func daysFrom(moment time.Time) int {
	return dayOf(time.Now().Add(24*time.Hour)) - dayOf(moment) + 1
}

// A mailbox becomes bulk while sessions are open on two servers, and one server stays ignorant for
// longer than it should. No message is hidden, and removals on either server are permanent.
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
	if got, day := segmentsOf(t, cfg, mb, fresh), dayOf(fresh.ID.Time()); !slices.Equal(got, []int{day}) {
		t.Fatalf("a message of a bulk mailbox is in segments %v, want %d", got, day)
	}
	if got := segmentsOf(t, cfg, mb, stray); !slices.Equal(got, []int{0}) {
		t.Fatalf("a message from the ignorant server is in segments %v", got)
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

// With a real window: a server that found a mailbox ordinary may rely on the finding, but only for
// messages older than any moment it cannot know.
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
	seen.Take()
	if err := late.RemoveMessages(t.Context(), mb, idsOf(old, now)); err != nil {
		t.Fatal(err)
	}
	if writes, reads := spent(seen.Take()); len(writes) != 2 || len(reads) != 0 {
		t.Errorf("a removal by the ignorant server: %d writes, %d reads", len(writes), len(reads))
	}
	wantRows(t, knows, mb, then)
	if err := late.RemoveMessages(t.Context(), mb, idsOf(then)); err != nil {
		t.Fatal(err)
	}
	for _, s := range []*cassandra.Store{knows, late} {
		wantRows(t, s, mb)
	}
}

// A process writes the marker again after an hour, for a datacenter that missed the marker, and
// earlier only for an earlier moment.
func TestBulkMarksAgain(t *testing.T) {
	cfg := config(t)
	clock := &mailtest.Clock{}
	cfg.Now, cfg.Heartbeat = clock.Now, 5*time.Minute
	s := open(t, cfg)
	mb, since := mailbox("marked"), time.Now().Add(-time.Hour)
	for i, c := range []struct {
		ahead  time.Duration
		since  time.Time
		writes int
	}{
		{0, since, 2}, {0, since, 1}, {59 * time.Minute, since, 1}, {61 * time.Minute, since, 2}, {61 * time.Minute, since, 1},
		{61 * time.Minute, since.Add(time.Second), 1}, {61 * time.Minute, since.Add(-time.Second), 2}, {61 * time.Minute, since.Add(-time.Second), 1},
		{61 * time.Minute, time.Time{}, 1}, {0, since, 2}, // the clock went back
	} {
		clock.Set(c.ahead)
		seen.Take()
		addBulk(t, s, mb, c.since, message(1))
		if writes, _ := spent(seen.Take()); len(writes) != c.writes {
			t.Errorf("delivery %d: %d writes, want %d", i, len(writes), c.writes)
		}
	}
}
