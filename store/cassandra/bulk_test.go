package cassandra_test

import (
	"context"
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

// dayOf is the segment of a bulk mailbox for messages of a moment.
func dayOf(moment time.Time) int { return int(moment.Unix() / 86400) }

// daysFrom is how many days a list reads that begins at a moment and ends tomorrow.
func daysFrom(moment time.Time) int {
	return dayOf(time.Now().Add(24*time.Hour)) - dayOf(moment) + 1
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
	if got, day := segmentsOf(t, cfg, mb, fresh), dayOf(fresh.ID.Time()); !slices.Equal(got, []int{day}) {
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

// A process writes the marker again after an hour, for a datacenter that missed it, and before that
// only for an earlier moment.
func TestBulkMarksAgain(t *testing.T) {
	cfg := config(t)
	clock := &shifted{}
	cfg.Now, cfg.Heartbeat = clock.now, 5*time.Minute
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
		clock.set(c.ahead)
		seen.take()
		addBulk(t, s, mb, c.since, message(1))
		if writes, _ := spent(seen.take()); len(writes) != c.writes {
			t.Errorf("delivery %d: %d writes, want %d", i, len(writes), c.writes)
		}
	}
}

// A message is not written while the marker cannot be.
func TestBulkPausedNode(t *testing.T) {
	cfg := config(t)
	cfg.Timeout = 300 * time.Millisecond
	s := open(t, cfg)
	mb, since := mailbox("paused"), time.Now().Add(-time.Hour)
	m := message(1)
	resume := pause(t, cluster.Get(t).Node("dc1-1"))
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
