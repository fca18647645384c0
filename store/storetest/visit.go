package storetest

import (
	"errors"
	"maps"
	"time"

	"popelago/mail"
	"popelago/store"
)

// retrieved notes retrievals.
func (e *env) retrieved(mb mail.MailboxID, at time.Time, ids ...mail.MessageID) {
	e.Helper()
	if err := e.NoteRetrieved(e.ctx, mb, ids, at, time.Hour); err != nil {
		e.Fatalf("NoteRetrieved: %v", err)
	}
}

// wantRetrieved checks the notes of a mailbox for ids after after up to through.
func (e *env) wantRetrieved(mb mail.MailboxID, after, through mail.MessageID, want map[mail.MessageID]time.Time) {
	e.Helper()
	got := map[mail.MessageID]time.Time{}
	for r, err := range e.RetrievedMessages(e.ctx, mb, after, through) {
		if err != nil {
			e.Fatalf("RetrievedMessages: %v", err)
		}
		if _, twice := got[r.ID]; twice {
			e.Errorf("RetrievedMessages: two notes for %s", r.ID)
		}
		got[r.ID] = r.At
	}
	if !maps.EqualFunc(got, want, time.Time.Equal) {
		e.Fatalf("RetrievedMessages:\n got %v\nwant %v", got, want)
	}
}

// lastID is above all ids of a test.
func lastID() mail.MessageID { return mail.MinMessageID(future()) }

// later is a moment after all ids of a test, to the microsecond.
func later(d time.Duration) time.Time {
	return time.Now().Add(time.Minute + d).Truncate(time.Microsecond)
}

var retrievalCases = []testCase{
	{"note and read", func(e *env) {
		mb, a, b, c := mailbox("a"), e.message(4), e.message(4), e.message(4)
		e.stored(mb, a, b, c)
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), nil)
		at, next := later(0), later(time.Second)
		e.retrieved(mb, at, a.ID, c.ID)
		e.retrieved(mb, next, b.ID)
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), map[mail.MessageID]time.Time{a.ID: at, b.ID: next, c.ID: at})
		e.wantRetrieved(mb, a.ID, c.ID, map[mail.MessageID]time.Time{b.ID: next, c.ID: at})
		e.wantRetrieved(mb, a.ID, b.ID, map[mail.MessageID]time.Time{b.ID: next})
		e.wantRetrieved(mb, c.ID, lastID(), nil)
		e.wantRetrieved(mailbox("b"), mail.MessageID{}, lastID(), nil)
		e.retrieved(mb, at)
	}},
	{"the earliest stays", func(e *env) {
		mb, a, b := mailbox("a"), e.message(4), e.message(4)
		e.stored(mb, a, b)
		first, second, third := later(0), later(time.Hour), later(2*time.Hour)
		e.retrieved(mb, second, a.ID, b.ID)
		e.retrieved(mb, third, a.ID)
		e.retrieved(mb, first, b.ID)
		e.retrieved(mb, second, b.ID)
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), map[mail.MessageID]time.Time{a.ID: second, b.ID: first})
	}},
	{"no message is retrieved before it arrives", func(e *env) {
		mb, a := mailbox("a"), e.message(4)
		e.stored(mb, a)
		e.retrieved(mb, time.Now().Add(-100*24*time.Hour), a.ID)
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), map[mail.MessageID]time.Time{a.ID: a.ID.Time().Truncate(time.Microsecond)})
	}},
	{"a note makes no message", func(e *env) {
		mb, never, gone := mailbox("a"), e.message(4), e.message(4)
		e.stored(mb, gone)
		e.removeListed(mb, gone)
		e.retrieved(mb, later(0), never.ID, gone.ID)
		e.wantMessages(mb)
		if _, err := e.Message(e.ctx, mb, gone.ID); !errors.Is(err, store.ErrNotFound) {
			e.Errorf("Message: %v", err)
		}
		e.add(mb, gone)
		e.wantMessages(mb)
	}},
	{"forget", func(e *env) {
		mb, a, b := mailbox("a"), e.message(4), e.message(4)
		e.stored(mb, a, b)
		at := later(0)
		e.retrieved(mb, at, a.ID, b.ID)
		e.removeListed(mb, a)
		for range 2 {
			if err := e.ForgetRetrieved(e.ctx, mb, []mail.MessageID{a.ID}); err != nil {
				e.Fatalf("ForgetRetrieved: %v", err)
			}
		}
		e.retrieved(mb, later(time.Second), a.ID) // a session that had listed the message
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), map[mail.MessageID]time.Time{b.ID: at})
	}},
	{"many", func(e *env) {
		mb, n := mailbox("a"), 2600
		if e.suite.Quick {
			n = 600
		}
		ms, want := make([]mail.Message, n), map[mail.MessageID]time.Time{}
		ids, at := make([]mail.MessageID, n), later(0)
		for i := range ms {
			ms[i] = e.message(4)
			ids[i], want[ms[i].ID] = ms[i].ID, at
		}
		e.add(mb, ms...)
		e.retrieved(mb, at, ids...)
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), want)
		seen := 0
		for range e.RetrievedMessages(e.ctx, mb, mail.MessageID{}, lastID()) { // the caller may stop
			if seen++; seen == 3 {
				break
			}
		}
		if seen != 3 {
			e.Errorf("%d notes before the caller stopped, want 3", seen)
		}
		if err := e.ForgetRetrieved(e.ctx, mb, ids[:550]); err != nil {
			e.Fatalf("ForgetRetrieved: %v", err)
		}
		for _, id := range ids[:550] {
			delete(want, id)
		}
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), want)
	}},
	{"reopen", func(e *env) {
		if e.suite.Reopen == nil {
			e.Skip("the engine cannot be reopened")
		}
		mb, a, at := mailbox("a"), e.message(4), later(0)
		e.stored(mb, a)
		e.retrieved(mb, at, a.ID)
		if err := e.NoteLogin(e.ctx, mb, at); err != nil {
			e.Fatal(err)
		}
		e.Engine = e.suite.Reopen(e.T, e.Engine)
		e.wantMessages(mb, a)
		e.wantRetrieved(mb, mail.MessageID{}, lastID(), map[mail.MessageID]time.Time{a.ID: at})
		e.wantLogin(mb, at)
	}},
	{"end of the context", func(e *env) {
		mb, ids := mailbox("a"), []mail.MessageID{e.ids.Next()}
		read := func() error {
			for _, err := range e.RetrievedMessages(cancelled(), mb, mail.MessageID{}, lastID()) {
				return err
			}
			return nil
		}
		e.wantCancelled("RetrievedMessages", read())
		e.wantCancelled("NoteRetrieved", e.NoteRetrieved(cancelled(), mb, ids, later(0), time.Hour))
		e.wantCancelled("ForgetRetrieved", e.ForgetRetrieved(cancelled(), mb, ids))
		_, err := e.LastLogin(cancelled(), mb)
		e.wantCancelled("LastLogin", err)
		e.wantCancelled("NoteLogin", e.NoteLogin(cancelled(), mb, later(0)))
		if err := e.Close(); err != nil {
			e.Fatal(err)
		}
		for what, err := range map[string]error{
			"NoteRetrieved":   e.NoteRetrieved(e.ctx, mb, ids, later(0), time.Hour),
			"ForgetRetrieved": e.ForgetRetrieved(e.ctx, mb, ids),
			"NoteLogin":       e.NoteLogin(e.ctx, mb, later(0)),
		} {
			if !errors.Is(err, store.ErrClosed) {
				e.Errorf("%s after Close: %v, want %v", what, err, store.ErrClosed)
			}
		}
	}},
}

func (e *env) wantLogin(mb mail.MailboxID, want time.Time) {
	e.Helper()
	if got, err := e.LastLogin(e.ctx, mb); err != nil || !got.Equal(want) {
		e.Errorf("LastLogin: %v, %v; want %v", got, err, want)
	}
}

var loginCases = []testCase{
	{"the latest stays", func(e *env) {
		mb := mailbox("a")
		e.wantLogin(mb, time.Time{})
		first, second := later(0), later(time.Hour)
		for _, at := range []time.Time{second, first, second} {
			if err := e.NoteLogin(e.ctx, mb, at); err != nil {
				e.Fatalf("NoteLogin: %v", err)
			}
		}
		e.wantLogin(mb, second)
		e.wantLogin(mailbox("b"), time.Time{})
		e.wantMessages(mb)
	}},
}
