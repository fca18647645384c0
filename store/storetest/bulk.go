package storetest

import (
	"errors"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// addBulk adds rows to a mailbox that is bulk since a moment; zero: the caller does not know the
// moment.
func (e *env) addBulk(mb mail.MailboxID, since time.Time, ms ...mail.Message) {
	e.Helper()
	entries := make([]store.Entry, len(ms))
	for i, m := range ms {
		entries[i] = store.Entry{Mailbox: mb, Message: m, Bulk: since}
	}
	e.addEntries(entries...)
}

// setBulk makes a mailbox bulk.
func (e *env) setBulk(mb mail.MailboxID) time.Time {
	e.Helper()
	since, err := e.SetBulk(e.ctx, mb)
	if err != nil {
		e.Fatalf("SetBulk: %v", err)
	}
	return since
}

// messages makes rows with fresh ids.
func (e *env) messages(n int) []mail.Message {
	ms := make([]mail.Message, n)
	for i := range ms {
		ms[i] = e.message(int64(i))
	}
	return ms
}

var bulkCases = []testCase{
	{"nothing changes", func(e *env) {
		mb := mailbox("a")
		old := e.messages(30)
		e.add(mb, old...)
		e.remove(mb, old[3].ID, old[7].ID)
		want := slices.Concat(old[:3], old[4:7], old[8:])
		e.wantMessages(mb, want...)
		for range 2 {
			e.setBulk(mb)
			for _, limit := range []int{1, 2, 27, 28, 29, 1000} {
				if got := e.list(mb, limit); !slices.Equal(got, want) {
					e.Fatalf("in pages of %d: %d rows, want %d", limit, len(got), len(want))
				}
			}
		}
		e.add(mb, old[3])
		e.remove(mb, old[0].ID, old[29].ID)
		e.wantMessages(mb, want[1:27]...)
		e.wantMessages(mailbox("b"))
		e.setBulk(mailbox("b"))
		e.wantMessages(mailbox("b"))
	}},
	{"with and without knowledge of the moment", func(e *env) {
		mb := mailbox("a")
		want := e.messages(5)
		e.add(mb, want...)
		since := e.setBulk(mb)
		for i := range 40 {
			m := e.message(int64(i))
			e.addBulk(mb, []time.Time{since, {}}[i%3/2], m)
			want = append(want, m)
		}
		for _, limit := range []int{1, 2, 7, 44, 45, 46, 1000} {
			if got := e.list(mb, limit); !slices.Equal(got, want) {
				e.Fatalf("in pages of %d:\n got %v\nwant %v", limit, got, want)
			}
		}
		for _, m := range want {
			if got, err := e.Message(e.ctx, mb, m.ID); err != nil || got != m {
				e.Fatalf("Message: %+v, %v; want %+v", got, err, m)
			}
		}
		rows, more, err := e.ListMessages(e.ctx, mb, want[40].ID, 2)
		if err != nil || !slices.Equal(rows, want[41:43]) || !more {
			e.Fatalf("after a row: %v, %v, %v", rows, more, err)
		}
		rows, more, err = e.ListMessages(e.ctx, mb, want[44].ID, 2)
		if err != nil || len(rows) != 0 || more {
			e.Fatalf("after the last row: %v, %v, %v", rows, more, err)
		}
		var ids []mail.MessageID
		for _, m := range want[2:42] {
			ids = append(ids, m.ID)
		}
		e.remove(mb, ids...)
		e.wantMessages(mb, want[0], want[1], want[42], want[43], want[44])
		for i, m := range want[5:] { // again
			e.addBulk(mb, []time.Time{since, {}}[i%3/2], m)
		}
		e.wantMessages(mb, want[0], want[1], want[42], want[43], want[44])
	}},
	{"removal before the addition", func(e *env) {
		mb := mailbox("a")
		e.add(mb, e.message(1))
		rows := e.list(mb, 10)
		since := e.setBulk(mb)
		for range 2 {
			ms := e.messages(4)
			e.remove(mb, ms[0].ID, ms[1].ID, ms[2].ID, ms[3].ID)
			e.addBulk(mb, since, ms[0], ms[1])
			e.addBulk(mb, time.Time{}, ms[2], ms[3])
			e.wantMessages(mb, rows...)
			for _, m := range ms {
				if _, err := e.Message(e.ctx, mb, m.ID); !errors.Is(err, store.ErrNotFound) {
					e.Fatalf("Message: %v, want %v", err, store.ErrNotFound)
				}
			}
		}
	}},
	{"content goes with the last row", func(e *env) {
		a, b := mailbox("a"), mailbox("b")
		since := e.setBulk(a)
		m := e.message(4)
		e.put(m.ID, []byte("text"), 4, a, b)
		e.addEntries(store.Entry{Mailbox: a, Message: m, Bulk: since}, store.Entry{Mailbox: b, Message: m})
		e.remove(b, m.ID)
		e.sweep(future())
		e.sweep(future())
		e.wantContent(m.ID, []byte("text"))
		e.wantMessages(a, m)
		e.remove(a, m.ID)
		e.sweep(future())
		e.wantNoContent(m.ID)
		e.wantMessages(a)
	}},
	{"many removals", func(e *env) {
		mb := mailbox("a")
		since := e.setBulk(mb)
		ms := e.messages(60)
		e.addBulk(mb, since, ms...)
		e.wantMessages(mb, ms...)
		for i := 0; i < 60; i += 20 {
			var ids []mail.MessageID
			for _, m := range ms[i:][:20] {
				ids = append(ids, m.ID)
			}
			e.remove(mb, ids[:19]...)
			e.wantMessages(mb, ms[i+19:]...)
			e.sweep(future())
			e.remove(mb, ids...)
			e.wantMessages(mb, ms[i+20:]...)
			e.sweep(future())
			e.addBulk(mb, since, ms[i:][:20]...)
			e.wantMessages(mb, ms[i+20:]...)
		}
	}},
	{"cancelled context", func(e *env) {
		_, err := e.SetBulk(cancelled(), mailbox("a"))
		e.wantCancelled("SetBulk", err)
		e.wantMessages(mailbox("a"))
	}},
}
