package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"popelago/mail"
	"popelago/store"
)

var mailboxCases = []testCase{
	{"empty", func(e *env) {
		rows, more, err := e.ListMessages(e.ctx, mailbox("nobody"), mail.MessageID{}, 10)
		if len(rows) != 0 || more || err != nil {
			e.Fatalf("mailbox never written: %v, %v, %v", rows, more, err)
		}
		if _, err := e.Message(e.ctx, mailbox("nobody"), e.ids.Next()); !errors.Is(err, store.ErrNotFound) {
			e.Fatalf("Message: %v, want %v", err, store.ErrNotFound)
		}
		if errs := e.AddMessages(e.ctx, nil); len(errs) != 0 {
			e.Fatalf("AddMessages of nothing: %v", errs)
		}
		e.remove(mailbox("nobody"))
	}},
	{"fields", func(e *env) {
		mb := mailbox("a")
		ms := []mail.Message{
			{ID: e.ids.Next(), Size: 1},
			{ID: e.ids.Next(), Size: 1 << 40, Recipient: "ålice@example.test", Original: "sales@\xFF\x00", UIDL: "~", Origin: "dc2"},
			{ID: e.ids.Next(), Size: 7, Recipient: strings.Repeat("x", 320), UIDL: mail.UIDL(strings.Repeat("!", 70))},
		}
		e.add(mb, ms...)
		e.wantMessages(mb, ms...)
		for _, m := range ms {
			if got, err := e.Message(e.ctx, mb, m.ID); err != nil || got != m {
				e.Fatalf("Message: %+v, %v; want %+v", got, err, m)
			}
		}
	}},
	{"order", func(e *env) {
		// By time, then as Cassandra orders: clock sequence and node as signed octets.
		at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
		var ms []mail.Message
		for _, d := range []time.Duration{-time.Hour, 0, 100, 200, time.Hour} {
			for _, octet := range []byte{0x00, 0x7F, 0x80, 0xFF} {
				id := mail.MinMessageID(at.Add(d))
				id[10], id[15] = octet, octet^0x55
				id[9] = octet ^ 0xAA
				ms = append(ms, mail.Message{ID: id, Size: 1})
			}
		}
		rand.Shuffle(len(ms), func(i, j int) { ms[i], ms[j] = ms[j], ms[i] })
		e.add(mailbox("a"), ms...)
		e.wantMessages(mailbox("a"), ms...)
	}},
	{"pages", func(e *env) {
		mb := mailbox("a")
		var ms []mail.Message
		for i := range 57 {
			ms = append(ms, e.message(int64(i)+1))
		}
		e.add(mb, ms...)
		for _, limit := range []int{1, 2, 7, 56, 57, 58, 1000} {
			if got := e.list(mb, limit); !slices.Equal(got, ms) {
				e.Fatalf("in pages of %d: %d rows, want %d", limit, len(got), len(ms))
			}
		}
		// Behind an absent row, and behind the last row.
		e.remove(mb, ms[9].ID)
		rows, _, err := e.ListMessages(e.ctx, mb, ms[9].ID, 1)
		if err != nil || len(rows) != 1 || rows[0] != ms[10] {
			e.Fatalf("after a removed row: %v, %v", rows, err)
		}
		rows, more, err := e.ListMessages(e.ctx, mb, ms[56].ID, 10)
		if err != nil || len(rows) != 0 || more {
			e.Fatalf("after the last row: %v, %v, %v", rows, more, err)
		}
	}},
	{"mailboxes are apart", func(e *env) {
		a, b := mailbox("a"), mailbox("b")
		// Neighbours in any byte order.
		next := a
		next[15]++
		m := e.message(5)
		e.addEntries(store.Entry{Mailbox: a, Message: m}, store.Entry{Mailbox: b, Message: m}, store.Entry{Mailbox: next, Message: m})
		e.remove(a, m.ID)
		e.wantMessages(a)
		e.wantMessages(b, m)
		e.wantMessages(next, m)
	}},
	{"adding again changes nothing", func(e *env) {
		mb, m := mailbox("a"), e.message(5)
		for range 3 {
			e.add(mb, m)
		}
		e.add(mb, m, m)
		e.wantMessages(mb, m)
	}},
	{"removal wins", func(e *env) {
		mb, m, never := mailbox("a"), e.message(5), e.message(6)
		e.add(mb, m)
		e.remove(mb, m.ID)
		e.remove(mb, m.ID) // again
		e.add(mb, m)
		e.remove(mb, never.ID) // before it was added
		e.add(mb, never)
		e.wantMessages(mb)
		if _, err := e.Message(e.ctx, mb, m.ID); !errors.Is(err, store.ErrNotFound) {
			e.Fatalf("Message: %v, want %v", err, store.ErrNotFound)
		}
		e.sweep(future())
		e.add(mb, m, never)
		e.wantMessages(mb)
		other := e.message(7)
		e.add(mb, m, other, never) // mixed with a fresh row
		e.wantMessages(mb, other)
	}},
	{"removal of many", func(e *env) {
		mb := mailbox("a")
		n := 5500
		if e.suite.Quick {
			n = 1100
		}
		ms := make([]mail.Message, n)
		ids := make([]mail.MessageID, n)
		for i := range ms {
			ms[i] = e.message(1)
			ids[i] = ms[i].ID
		}
		e.add(mb, ms...)
		if got := e.list(mb, 500); !slices.Equal(got, ms) {
			e.Fatalf("%d rows, want %d", len(got), len(ms))
		}
		e.remove(mb, append(ids[:0:0], ids[1:]...)...)
		e.wantMessages(mb, ms[0])
		e.remove(mb, append(ids, ids[:3]...)...)
		e.wantMessages(mb)
	}},
	{"many entries", func(e *env) {
		var entries []store.Entry
		want := map[mail.MailboxID][]mail.Message{}
		for i := range 12 {
			m := e.message(int64(i) + 1)
			for j := range 5 {
				mb := mailbox(fmt.Sprint(j))
				entries = append(entries, store.Entry{Mailbox: mb, Message: m})
				want[mb] = append(want[mb], m)
			}
		}
		e.addEntries(entries...)
		for mb, ms := range want {
			e.wantMessages(mb, ms...)
		}
	}},
	{"cancelled context", func(e *env) {
		mb, m := mailbox("a"), e.message(5)
		for _, err := range e.AddMessages(cancelled(), []store.Entry{{Mailbox: mb, Message: m}}) {
			e.wantClass("AddMessages", err)
			e.wantCancelled("AddMessages", err)
		}
		_, _, err := e.ListMessages(cancelled(), mb, mail.MessageID{}, 10)
		e.wantCancelled("ListMessages", err)
		_, err = e.Message(cancelled(), mb, m.ID)
		e.wantCancelled("Message", err)
		e.wantCancelled("RemoveMessages", e.RemoveMessages(cancelled(), mb, []mail.MessageID{m.ID}))
		if _, err := e.Sweep(cancelled(), future()); err != nil {
			e.Errorf("Sweep stops early without error: %v", err)
		}
		if _, err := e.SweepOrphans(cancelled(), future(), future()); err != nil {
			e.Errorf("SweepOrphans stops early without error: %v", err)
		}
		if _, err := e.RaiseFloors(cancelled()); err != nil {
			e.Errorf("RaiseFloors stops early without error: %v", err)
		}
	}},
	{"concurrent add and remove", func(e *env) {
		mb := mailbox("a")
		rounds := 40
		if e.suite.Quick {
			rounds = 10
		}
		for range rounds {
			m := e.message(5)
			var wg sync.WaitGroup
			for range 3 {
				wg.Go(func() { e.add(mb, m) })
			}
			wg.Go(func() { e.remove(mb, m.ID) })
			wg.Wait()
		}
		e.wantMessages(mb)
	}},
	{"concurrent deliveries and drains", func(e *env) { concurrentDrain(e) }},
}

func (e *env) wantCancelled(what string, err error) {
	e.Helper()
	if err == nil {
		e.Errorf("%s with an ended context: no error", what)
		return
	}
	e.wantClass(what, err)
}

// concurrentDrain lets several goroutines deliver into mailboxes that others list and drain: every
// message must be seen, and none twice.
func concurrentDrain(e *env) {
	const mailboxes, deliverers = 3, 4
	messages := 60
	if e.suite.Quick {
		messages = 15
	}
	var delivering sync.WaitGroup
	var mu sync.Mutex
	added := map[mail.MessageID]bool{}
	for range deliverers {
		delivering.Go(func() {
			for i := range messages {
				m := e.message(int64(i) + 1)
				mb := mailbox(fmt.Sprint(i % mailboxes))
				if errs := e.AddMessages(e.ctx, []store.Entry{{Mailbox: mb, Message: m}}); errs[0] != nil {
					e.Errorf("AddMessages: %v", errs[0])
					return
				}
				mu.Lock()
				added[m.ID] = true
				mu.Unlock()
			}
		})
	}
	ctx, done := context.WithCancel(e.ctx)
	seen := make([]map[mail.MessageID]bool, mailboxes)
	var draining sync.WaitGroup
	for i := range mailboxes {
		seen[i] = map[mail.MessageID]bool{}
		draining.Go(func() { drain(e, ctx, mailbox(fmt.Sprint(i)), seen[i]) })
	}
	delivering.Wait()
	done()
	draining.Wait()
	for id := range added {
		found := 0
		for i := range seen {
			if seen[i][id] {
				found++
			}
		}
		if found != 1 {
			e.Errorf("message %s was seen in %d mailboxes, want 1", id, found)
		}
	}
}

// drain lists and removes until ctx has ended and the mailbox is empty.
func drain(e *env, ctx context.Context, mb mail.MailboxID, seen map[mail.MessageID]bool) {
	for {
		last := ctx.Err() != nil
		rows, err := List(e.ctx, e.Engine, mb, 7)
		if err != nil {
			e.Errorf("list: %v", err)
			return
		}
		var ids []mail.MessageID
		for _, m := range rows {
			if seen[m.ID] {
				e.Errorf("message %s came back after its removal", m.ID)
			}
			seen[m.ID] = true
			ids = append(ids, m.ID)
		}
		if err := e.RemoveMessages(e.ctx, mb, ids); err != nil {
			e.Errorf("remove: %v", err)
			return
		}
		if last && len(rows) == 0 {
			return
		}
	}
}

var closeCases = []testCase{
	{"ends everything", func(e *env) {
		mb, m := mailbox("a"), e.message(3)
		e.put(m.ID, []byte("abc"), 3, mb)
		e.add(mb, m)
		c, err := e.NewContent(e.ctx)
		if err != nil {
			e.Fatal(err)
		}
		defer c.Discard()
		if err := e.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
		want := func(what string, err error) {
			e.Helper()
			if !errors.Is(err, store.ErrClosed) {
				e.Errorf("%s after Close: %v, want %v", what, err, store.ErrClosed)
			}
		}
		want("AddMessages", e.AddMessages(e.ctx, []store.Entry{{Mailbox: mb, Message: m}})[0])
		_, _, err = e.ListMessages(e.ctx, mb, mail.MessageID{}, 1)
		want("ListMessages", err)
		_, err = e.Message(e.ctx, mb, m.ID)
		want("Message", err)
		want("RemoveMessages", e.RemoveMessages(e.ctx, mb, []mail.MessageID{m.ID}))
		_, err = e.SetBulk(e.ctx, mb)
		want("SetBulk", err)
		_, err = e.NewContent(e.ctx)
		want("NewContent", err)
		want("PutContent", e.PutContent(e.ctx, e.ids.Next(), c, store.ContentInfo{}))
		_, _, err = e.OpenContent(e.ctx, m.ID, "")
		want("OpenContent", err)
		a := mail.Address{Local: "a", Domain: "example.test"}
		_, err = e.AddressRows(e.ctx, a)
		want("AddressRows", err)
		want("ChangeAddress", e.ChangeAddress(e.ctx, a, mail.MessageID{}, store.AddressChange{}))
		_, _, err = e.ListAddresses(e.ctx, a.Domain, "", 1)
		want("ListAddresses", err)
		_, err = e.Domain(e.ctx, a.Domain)
		want("Domain", err)
		_, err = e.ListDomains(e.ctx)
		want("ListDomains", err)
		want("PutDomain", e.PutDomain(e.ctx, store.Domain{Name: a.Domain}))
		want("RemoveDomain", e.RemoveDomain(e.ctx, a.Domain))
		_, err = e.Sweep(e.ctx, future())
		want("Sweep", err)
		_, err = e.SweepOrphans(e.ctx, future(), future())
		want("SweepOrphans", err)
		_, err = e.RaiseFloors(e.ctx)
		want("RaiseFloors", err)
		_, _, err = e.ListContents(e.ctx, "", 1)
		want("ListContents", err)
		_, err = e.ContentRows(e.ctx, []mail.MessageID{m.ID})
		want("ContentRows", err)
		_, err = e.Trashed(e.ctx, map[mail.MessageID][]mail.MailboxID{m.ID: {mb}})
		want("Trashed", err)
		want("HoldFloor", e.HoldFloor(e.ctx, mb))
		_, err = e.Floor(e.ctx, mb)
		want("Floor", err)
		_, err = e.RemoveOrphans(e.ctx, []store.ContentRow{{ID: m.ID}}, future())
		want("RemoveOrphans", err)
		_, err = e.Progress(e.ctx, "x")
		want("Progress", err)
		want("SetProgress", e.SetProgress(e.ctx, "x", "y"))
	}},
	{"while busy", func(e *env) {
		mb := mailbox("a")
		var wg sync.WaitGroup
		started := make(chan struct{}, 4)
		for range 4 {
			wg.Go(func() {
				for i := 0; ; i++ {
					err := e.AddMessages(e.ctx, []store.Entry{{Mailbox: mb, Message: e.message(1)}})[0]
					if i == 0 {
						started <- struct{}{}
					}
					if err != nil {
						if !errors.Is(err, store.ErrClosed) && !errors.Is(err, store.ErrOutcomeUnknown) {
							e.Errorf("AddMessages while closing: %v", err)
						}
						return
					}
				}
			})
		}
		for range 4 {
			<-started
		}
		if err := e.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
		wg.Wait()
	}},
	{"keeps everything", func(e *env) {
		if e.suite.Reopen == nil {
			e.Skip("this engine cannot be reopened")
		}
		mb, m, removed := mailbox("a"), e.message(3), e.message(3)
		large := pattern(300_000, 1)
		later := e.message(4)
		e.put(m.ID, large, 1<<20, mb)
		e.put(later.ID, []byte("late"), 4, mb)
		e.add(mb, m, removed)
		e.remove(mb, removed.ID)
		e.Engine = e.suite.Reopen(e.T, e.Engine)
		e.add(mb, removed)
		e.wantMessages(mb, m)
		e.wantContent(m.ID, large)
		// Put before an orderly Close, added after it.
		e.add(mb, later)
		e.wantContent(later.ID, []byte("late"))
	}},
}
