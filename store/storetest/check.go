package storetest

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"popelago/mail"
	"popelago/store"
)

// contents reads all contents in pages of limit rows, and checks the promises about every page.
func (e *env) contents(limit int) map[mail.MessageID]store.ContentRow {
	e.Helper()
	all := map[mail.MessageID]store.ContentRow{}
	for after := ""; ; {
		page, next, err := e.ListContents(e.ctx, after, limit)
		if err != nil {
			e.Fatalf("ListContents: %v", err)
		}
		for _, c := range page {
			if _, twice := all[c.ID]; twice {
				e.Fatalf("content %s is listed twice", c.ID)
			}
			all[c.ID] = c
		}
		if next == "" {
			return all
		}
		if next == after {
			e.Fatalf("the position %q stands still", next)
		}
		after = next
	}
}

// contentRows is ContentRows without an error.
func (e *env) contentRows(ids ...mail.MessageID) map[mail.MessageID]store.ContentRow {
	e.Helper()
	rows, err := e.ContentRows(e.ctx, ids)
	if err != nil {
		e.Fatalf("ContentRows: %v", err)
	}
	return rows
}

// wantGivenUp checks the mailboxes that have removed a message, by the trash or by the content.
func (e *env) wantGivenUp(what string, id mail.MessageID, want ...mail.MailboxID) {
	e.Helper()
	mailboxes := e.contentRows(id)[id].Info.Mailboxes
	trashed, err := e.Trashed(e.ctx, map[mail.MessageID][]mail.MailboxID{id: mailboxes, e.ids.Next(): mailboxes})
	if err != nil {
		e.Fatalf("Trashed: %v", err)
	}
	got := map[mail.MailboxID]bool{}
	for other, mailboxes := range trashed {
		if other != id {
			e.Errorf("Trashed names %s, which was not asked for", other)
		}
		for _, mb := range mailboxes {
			got[mb] = true
		}
	}
	c, ok := e.contentRows(id)[id]
	if !ok || c.Parts != nil || c.Damage != nil {
		e.Fatalf("%s: content: %v, %+v", what, ok, c)
	}
	for _, mb := range c.Removed {
		got[mb] = true
	}
	wanted := map[mail.MailboxID]bool{}
	for _, mb := range want {
		wanted[mb] = true
	}
	if !maps.Equal(got, wanted) {
		e.Errorf("%s: removed by %v, want %v", what, slices.Collect(maps.Keys(got)), want)
	}
}

var checkCases = []testCase{
	{"nothing", func(e *env) {
		if page, next, err := e.ListContents(e.ctx, "", 10); len(page) != 0 || next != "" || err != nil {
			e.Fatalf("ListContents of an empty store: %v, %q, %v", page, next, err)
		}
		id := e.ids.Next()
		if rows := e.contentRows(id); len(rows) != 0 {
			e.Fatalf("ContentRows of none: %v", rows)
		}
		if trashed, err := e.Trashed(e.ctx, map[mail.MessageID][]mail.MailboxID{id: {mailbox("nobody")}}); len(trashed) != 0 || err != nil {
			e.Fatalf("Trashed: %v, %v", trashed, err)
		}
		if floor, err := e.Floor(e.ctx, mailbox("nobody")); !floor.IsZero() || err != nil {
			e.Fatalf("Floor: %s, %v", floor, err)
		}
	}},
	{"contents", func(e *env) {
		want := map[mail.MessageID]store.ContentInfo{}
		for i, n := range []int{0, 1, 10, 8 << 10, 33 << 10, 300 << 10, 5, 6, 7, 600 << 10} {
			mbs := []mail.MailboxID{mailbox(fmt.Sprint(i)), mailbox("all")}[:i%2+1]
			m := e.message(int64(n))
			e.put(m.ID, pattern(n, uint32(i)), 4096, mbs...)
			e.add(mbs[0], m)
			want[m.ID] = store.ContentInfo{Size: int64(n), ReversePath: "sender@example.org", Mailboxes: mbs}
		}
		ids := slices.Collect(maps.Keys(want))
		for _, limit := range []int{1, 3, 100} {
			got := e.contents(limit)
			if len(got) != len(want) {
				e.Errorf("in pages of %d: %d contents, want %d", limit, len(got), len(want))
			}
			for id, c := range e.contentRows(ids...) {
				for what, c := range map[string]store.ContentRow{"ContentRows": c, "ListContents": got[id]} {
					if w := want[id]; c.ID != id || c.Parts != nil || c.Damage != nil || len(c.Removed) != 0 ||
						c.Info.Size != w.Size || c.Info.ReversePath != w.ReversePath || !slices.Equal(c.Info.Mailboxes, w.Mailboxes) {
						e.Errorf("%s: %+v, want %+v", what, c, w)
					}
				}
			}
		}
		// Positions stay valid while contents are removed and put.
		page, next, err := e.ListContents(e.ctx, "", 4)
		if err != nil || next == "" {
			e.Fatalf("ListContents: %v, %q, %v", page, next, err)
		}
		seen := map[mail.MessageID]bool{}
		for _, c := range page {
			seen[c.ID] = true
			e.remove(c.Info.Mailboxes[0], c.ID)
		}
		e.sweep(future())
		late := e.message(1)
		e.put(late.ID, pattern(1, 1), 1, mailbox("late"))
		e.add(mailbox("late"), late)
		for next != "" {
			if page, next, err = e.ListContents(e.ctx, next, 4); err != nil {
				e.Fatalf("ListContents: %v", err)
			}
			for _, c := range page {
				if seen[c.ID] {
					e.Errorf("content %s is before and behind a position", c.ID)
				}
				seen[c.ID] = true
			}
		}
		for id := range want {
			if !seen[id] {
				e.Errorf("content %s was passed over", id)
			}
		}
	}},
	{"given up", func(e *env) {
		a, b, c := mailbox("a"), mailbox("b"), mailbox("c")
		m := e.message(4)
		e.put(m.ID, []byte("text"), 4, a, b, c)
		e.addEntries(store.Entry{Mailbox: a, Message: m}, store.Entry{Mailbox: b, Message: m}) // never to c
		e.wantGivenUp("at first", m.ID)
		e.remove(a, m.ID)
		e.wantGivenUp("after a removal", m.ID, a)
		e.sweep(time.Now().Add(-time.Hour))
		e.wantGivenUp("after a Sweep of older contents", m.ID, a)
		for range 2 {
			e.sweep(future())
			e.wantGivenUp("after a Sweep", m.ID, a)
		}
		e.wantContent(m.ID, []byte("text"))
	}},
	{"floor", func(e *env) {
		mb := mailbox("a")
		var ms []mail.Message
		var ids []mail.MessageID
		for range 40 {
			m := e.message(1)
			ms, ids = append(ms, m), append(ids, m.ID)
		}
		e.add(mb, ms...)
		e.remove(mb, ids[:30]...)
		e.sweep(future())
		floor, err := e.Floor(e.ctx, mb)
		if err != nil || floor.Compare(ids[30]) >= 0 {
			e.Fatalf("Floor: %s, %v; the first message is %s", floor, err, ids[30])
		}
		e.wantMessages(mb, ms[30:]...)
	}},
	{"no orphans", func(e *env) {
		a, b := mailbox("a"), mailbox("b")
		var rows []store.ContentRow
		for i, n := range []int{10, 300_000} {
			used, removed := e.message(1), e.message(1)
			for _, m := range []mail.Message{used, removed} {
				e.put(m.ID, pattern(n, uint32(i)), 4096, a, b)
				e.add(b, m)
				rows = append(rows, store.ContentRow{ID: m.ID})
			}
			e.remove(b, removed.ID)
		}
		// Half have a row, the other half are named by the trash.
		for _, olderThan := range []time.Time{time.Now().Add(-time.Hour), future()} {
			if r, err := e.RemoveOrphans(e.ctx, rows, olderThan); err != nil || r != (store.SweepReport{}) {
				e.Fatalf("RemoveOrphans: %+v, %v", r, err)
			}
		}
		if got := e.contents(100); len(got) != len(rows) {
			e.Fatalf("%d contents are left, want %d", len(got), len(rows))
		}
		if r := e.sweep(future()); r.Contents != 2 {
			e.Errorf("the Sweep after the check: %+v, want 2 contents", r)
		}
		if r, err := e.RemoveOrphans(e.ctx, nil, future()); err != nil || r != (store.SweepReport{}) {
			e.Fatalf("RemoveOrphans of none: %+v, %v", r, err)
		}
	}},
	{"orphans go", func(e *env) {
		mb := mailbox("a")
		var rows []store.ContentRow
		octets := int64(0)
		for i, n := range []int{10, 300_000} {
			id := e.ids.Next()
			e.put(id, pattern(n, uint32(i)), 4096, mb)
			rows = append(rows, store.ContentRow{ID: id})
			octets += int64(n)
		}
		if e.suite.Reopen == nil {
			e.Skip("this engine cannot be reopened, and may hold contents back until they have a row")
		}
		e.Engine = e.suite.Reopen(e.T, e.Engine)
		used := e.message(1)
		e.put(used.ID, []byte("x"), 1, mb)
		e.add(mb, used)
		rows = append(rows, store.ContentRow{ID: used.ID}, store.ContentRow{ID: e.ids.Next()})
		if r, err := e.RemoveOrphans(e.ctx, rows, time.Now().Add(-time.Hour)); err != nil || r.Contents != 0 {
			e.Fatalf("RemoveOrphans of young ones: %+v, %v", r, err)
		}
		r, err := e.RemoveOrphans(e.ctx, rows, future())
		if err != nil || r.Contents != 2 || r.Octets != octets {
			e.Fatalf("RemoveOrphans: %+v, %v; want 2 contents with %d octets", r, err, octets)
		}
		e.wantNoContent(rows[0].ID)
		e.wantNoContent(rows[1].ID)
		e.wantContent(used.ID, []byte("x"))
		if got := e.contents(10); len(got) != 1 {
			e.Errorf("%d contents are left, want 1", len(got))
		}
		if r := e.sweep(future()); r.Contents != 0 {
			e.Errorf("the Sweep after the check: %+v", r)
		}
	}},
	{"progress", func(e *env) {
		want := func(name, text string) {
			e.Helper()
			if got, err := e.Progress(e.ctx, name); err != nil || got != text {
				e.Fatalf("Progress of %q: %d octets, %v; want %d", name, len(got), err, len(text))
			}
		}
		set := func(name, text string) {
			e.Helper()
			if err := e.SetProgress(e.ctx, name, text); err != nil {
				e.Fatalf("SetProgress: %v", err)
			}
			want(name, text)
		}
		want("a", "")
		for _, text := range []string{"first", "second", strings.Repeat("däs wächst ", 30_000), "", "third"} {
			set("a", text)
		}
		set("a/b", "another")
		want("a", "third")
		if e.suite.Reopen != nil {
			e.Engine = e.suite.Reopen(e.T, e.Engine)
			want("a", "third")
		}
		set("a", "")
		want("a/b", "another")
	}},
	{"cancelled context", func(e *env) {
		_, _, err := e.ListContents(cancelled(), "", 10)
		e.wantCancelled("ListContents", err)
		id := e.ids.Next()
		_, err = e.ContentRows(cancelled(), []mail.MessageID{id})
		e.wantCancelled("ContentRows", err)
		_, err = e.Trashed(cancelled(), map[mail.MessageID][]mail.MailboxID{id: {mailbox("a")}})
		e.wantCancelled("Trashed", err)
		e.wantCancelled("HoldFloor", e.HoldFloor(cancelled(), mailbox("a")))
		_, err = e.Floor(cancelled(), mailbox("a"))
		e.wantCancelled("Floor", err)
		_, err = e.RemoveOrphans(cancelled(), []store.ContentRow{{ID: id}}, future())
		e.wantCancelled("RemoveOrphans", err)
		_, err = e.Progress(cancelled(), "a")
		e.wantCancelled("Progress", err)
		e.wantCancelled("SetProgress", e.SetProgress(cancelled(), "a", "x"))
		if _, _, err := e.ListContents(e.ctx, "not a position", 10); err == nil || errors.Is(err, store.ErrNotFound) {
			e.Errorf("ListContents from nowhere: %v", err)
		}
	}},
}
