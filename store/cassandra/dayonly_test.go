package cassandra

import (
	"slices"
	"testing"

	"popelago/mail"
)

func TestDayOnly(t *testing.T) {
	source := mail.NewIDSource(nil)
	var ids []mail.MessageID
	for range 12 {
		ids = append(ids, source.Next())
	}
	mb, other := mail.MailboxID{1}, mail.MailboxID{2}
	l := newDayOnly()
	want := func(what string, want ...int) {
		t.Helper()
		var got []int
		for i, id := range ids {
			if l.has(mb)(id) {
				got = append(got, i)
			}
			if l.has(other)(id) {
				t.Errorf("%s: %d is in another mailbox", what, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v, want %v", what, got, want)
		}
	}
	want("nothing")
	l.note(mb, mail.MessageID{}, ids[3], true, []mail.MessageID{ids[1], ids[3]})
	want("a first page", 1, 3)
	l.note(mb, ids[3], ids[7], false, []mail.MessageID{ids[5], ids[6]})
	want("the next page", 1, 3, 5, 6)
	l.note(mb, ids[7], mail.MessageID{}, false, []mail.MessageID{ids[9]})
	want("the last page", 1, 3, 5, 6, 9)
	l.note(mb, mail.MessageID{}, ids[3], true, []mail.MessageID{ids[2], ids[3]})
	want("another session's first page", 2, 3, 5, 6, 9)
	l.note(mb, ids[6], mail.MessageID{}, false, []mail.MessageID{ids[10]})
	want("a last page again", 2, 3, 5, 6, 10)
	l.note(mb, ids[4], mail.MessageID{}, true, []mail.MessageID{ids[10]})
	want("behind a floor", 10)
	l.note(mb, ids[4], mail.MessageID{}, true, nil)
	want("all gone")
}

func TestDayOnlyIsBounded(t *testing.T) {
	l := newDayOnly()
	many := make([]mail.MessageID, maxDayOnly/4)
	for i := range 16 {
		l.note(mail.MailboxID{byte(i)}, mail.MessageID{}, mail.MessageID{}, true, many)
	}
	if n := l.cache.Len() * len(many); n > maxDayOnly || n == 0 {
		t.Errorf("%d ids are remembered, want up to %d", n, maxDayOnly)
	}
}

func TestBulkCandidatesAreBounded(t *testing.T) {
	g := newBulkCandidates(100)
	defer g.counts.Close()
	for i := range maxBulkCandidates + 100 {
		mb := mail.MailboxID{byte(i), byte(i >> 8)}
		g.note(mb, "alice@example.test")
		g.noteList(listing{mailbox: mb}, listed{rows: []mail.Message{{ID: mail.MessageID{byte(i)}}}, more: true}, true)
	}
	if n := g.counts.Len(); n > maxPageEnds || n == 0 {
		t.Errorf("%d ends of pages are remembered, want up to %d", n, maxPageEnds)
	}
	if n := len(g.take()); n != maxBulkCandidates {
		t.Errorf("%d mailboxes are told, want %d", n, maxBulkCandidates)
	}
	if list := g.take(); len(list) > 0 {
		t.Errorf("%d are told again", len(list))
	}
}

func TestDays(t *testing.T) {
	const day = microsOfDay
	for us, want := range map[int64]int{0: 0, day - 1: 0, day: 1, -1: -1, -day: -1, -day - 1: -2, 20000*day + 5: 20000} {
		if got := dayOf(us); got != want {
			t.Errorf("the day of %d: %d, want %d", us, got, want)
		}
	}
	if m := marker(); m.Compare(mail.NewIDSource(nil).Next()) <= 0 || m.Micros() < 1<<56 || mail.MessageIDFromSortKey(m.SortKey()) != m {
		t.Errorf("the marker is %s", m)
	}
}
