package storetest

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"popelago/mail"
	"popelago/store"
)

// removalCases check store.Removals.
var removalCases = []testCase{
	{"keep all fields", func(e *env) {
		mb := mailbox("a")
		ms := []mail.Message{
			{ID: e.ids.Next(), Size: 4},
			{ID: e.ids.Next(), Size: 1 << 40, Recipient: "ålice@example.test \xff", UIDL: "~", Origin: "dc2"},
			{ID: e.ids.Next(), Size: 7, Recipient: strings.Repeat("x", 320), UIDL: mail.UIDL(strings.Repeat("!", 70))},
		}
		before := time.Now().Add(-time.Second)
		e.stored(mb, ms...)
		e.wantRemoved(mb, before)
		e.removeListed(mb, ms...)
		e.wantMessages(mb)
		e.wantRemoved(mb, before, ms...)
		for r, err := range e.RemovedMessages(e.ctx, mb, before) {
			if err != nil || r.At.Before(before) || r.At.After(time.Now().Add(time.Second)) {
				e.Errorf("removed at %v, %v", r.At, err)
			}
		}
		e.wantRemoved(mb, time.Now().Add(2*time.Hour))
		e.wantRemoved(mailbox("b"), before)
	}},
	{"a removal wins", func(e *env) {
		mb, m, never := mailbox("a"), e.message(4), e.message(5)
		e.stored(mb, m)
		e.removeListed(mb, m, never)
		e.removeListed(mb, m)
		e.add(mb, m, never)
		e.wantMessages(mb)
	}},
	{"rows removed by id alone are not returned", func(e *env) {
		mb, before := mailbox("a"), time.Now().Add(-time.Second)
		undone, both, late := e.message(4), e.message(4), e.message(4)
		e.stored(mb, undone, both, late)
		e.remove(mb, undone.ID, late.ID)
		e.removeListed(mb, both)
		e.remove(mb, both.ID)
		e.removeListed(mb, late)
		e.wantRemoved(mb, before, both, late)
	}},
	{"until the content is reclaimed", func(e *env) {
		mb, before := mailbox("a"), time.Now().Add(-time.Second)
		m := e.message(4)
		e.stored(mb, m)
		e.removeListed(mb, m)
		e.sweep(time.Now().Add(-time.Hour))
		e.wantRemoved(mb, before, m)
		e.wantContent(m.ID, []byte("text"))
		e.sweep(future())
		e.wantNoContent(m.ID)
		e.wantRemoved(mb, before)
	}},
	{"while others have the content", func(e *env) {
		a, b, before := mailbox("a"), mailbox("b"), time.Now().Add(-time.Second)
		m := e.message(4)
		e.put(m.ID, []byte("text"), 4, a, b)
		e.add(a, m)
		e.add(b, m)
		e.removeListed(a, m)
		e.wantRemoved(a, before, m)
		e.wantRemoved(b, before)
		e.wantMessages(b, m)
	}},
	{"many", func(e *env) {
		mb, before := mailbox("a"), time.Now().Add(-time.Second)
		n := 2600
		if e.suite.Quick {
			n = 600
		}
		ms := make([]mail.Message, n)
		for i := range ms {
			ms[i] = e.message(4)
			e.put(ms[i].ID, []byte("text"), 4, mb)
		}
		e.add(mb, ms...)
		e.removeListed(mb, ms...)
		e.wantMessages(mb)
		e.wantRemoved(mb, before, ms...)
		seen := 0
		for range e.RemovedMessages(e.ctx, mb, before) { // the caller may stop
			if seen++; seen == 3 {
				break
			}
		}
		if seen != 3 {
			e.Errorf("%d removals before the caller stopped, want 3", seen)
		}
	}},
	{"end of the context", func(e *env) {
		mb := mailbox("a")
		e.wantCancelled("RemovedMessages", firstError(e.RemovedMessages(cancelled(), mb, time.Now().Add(-time.Hour))))
		e.wantCancelled("RemoveListed", e.RemoveListed(cancelled(), mb, []mail.Message{e.message(4)}))
		if err := e.Close(); err != nil {
			e.Fatal(err)
		}
		if err := firstError(e.RemovedMessages(e.ctx, mb, time.Now().Add(-time.Hour))); !errors.Is(err, store.ErrClosed) {
			e.Errorf("RemovedMessages after Close: %v, want %v", err, store.ErrClosed)
		}
		if err := e.RemoveListed(e.ctx, mb, []mail.Message{e.message(4)}); !errors.Is(err, store.ErrClosed) {
			e.Errorf("RemoveListed after Close: %v, want %v", err, store.ErrClosed)
		}
	}},
}

// stored adds rows whose content is "text".
func (e *env) stored(mb mail.MailboxID, ms ...mail.Message) {
	e.Helper()
	for _, m := range ms {
		e.put(m.ID, []byte("text"), 4, mb)
	}
	e.add(mb, ms...)
}

func (e *env) removeListed(mb mail.MailboxID, ms ...mail.Message) {
	e.Helper()
	if err := e.RemoveListed(e.ctx, mb, ms); err != nil {
		e.Fatalf("RemoveListed: %v", err)
	}
}

// wantRemoved checks the messages of RemovedMessages, in any order and each at least once.
func (e *env) wantRemoved(mb mail.MailboxID, since time.Time, want ...mail.Message) {
	e.Helper()
	got := map[mail.MessageID]mail.Message{}
	for r, err := range e.RemovedMessages(e.ctx, mb, since) {
		if err != nil {
			e.Fatalf("RemovedMessages: %v", err)
		}
		got[r.Message.ID] = r.Message
	}
	wrong := len(got) != len(want)
	for _, m := range want {
		wrong = wrong || got[m.ID] != m
	}
	if wrong {
		e.Fatalf("removed messages:\n got %s\nwant %s", some(got), some(want))
	}
}

// firstError returns the error of an iteration.
func firstError(removals iter.Seq2[store.Removal, error]) error {
	for _, err := range removals {
		if err != nil {
			return err
		}
	}
	return nil
}

// some describes the beginning of a collection.
func some(v any) string {
	s := fmt.Sprint(v)
	return s[:min(len(s), 1000)]
}
