package storetest

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"strings"
	"time"

	"popelago/mail"
	"popelago/store"
)

// attempt returns an attempt with n recipients, entered at a moment, which lasts an hour.
func (e *env) attempt(entered time.Time, n int) store.Attempt {
	a := store.Attempt{
		ID: e.ids.Next(), Entered: entered.UTC().Truncate(time.Microsecond), Until: entered.UTC().Add(time.Hour).Truncate(time.Microsecond),
		Origin: "\u010c, 2", ContentStored: true, ContentReached: mail.ReachedEach, ContentSize: 1<<40 + 1,
		Recipients: make([]store.AttemptRecipient, n),
	}
	for i := range a.Fingerprint {
		a.Fingerprint[i] = byte(rand.Uint32())
	}
	for i := range n {
		a.Recipients[i] = store.AttemptRecipient{
			Mailbox: mailbox(fmt.Sprint(i)), Recipient: fmt.Sprintf("\xFF%d@example.test", i),
			Original: strings.Repeat("\xFFsales@example.test", i%2),
			Outcome:  store.AttemptOutcome(i % 3), Reached: mail.Reached(i / 3 % 3), Told: i%2 == 0,
		}
	}
	return a
}

func (e *env) putAttempts(as ...store.Attempt) {
	e.Helper()
	for _, a := range as {
		if err := e.PutAttempt(e.ctx, a); err != nil {
			e.Fatalf("PutAttempt: %v", err)
		}
	}
}

func (e *env) removeAttempt(a store.Attempt) {
	e.Helper()
	if err := e.RemoveAttempt(e.ctx, a); err != nil {
		e.Fatalf("RemoveAttempt: %v", err)
	}
}

// attempts reads all attempts since a moment.
func attempts(ctx context.Context, st store.Ledger, since time.Time) (all []store.Attempt, err error) {
	for a, err := range st.Attempts(ctx, since) {
		if err != nil {
			return nil, err
		}
		all = append(all, a)
	}
	return all, nil
}

// wantAttempts checks the attempts since a moment, and that HasAttempt finds each.
func (e *env) wantAttempts(since time.Time, want ...store.Attempt) {
	e.Helper()
	got, err := attempts(e.ctx, e.Engine, since)
	if err != nil {
		e.Fatalf("Attempts: %v", err)
	}
	if len(got) != len(want) || len(want) > 0 && !reflect.DeepEqual(got, want) {
		e.Fatalf("Attempts:\n got %+v\nwant %+v", got, want)
	}
	for _, a := range want {
		e.wantAttempt(a, true)
	}
}

func (e *env) wantAttempt(a store.Attempt, want bool) {
	e.Helper()
	if found, err := e.HasAttempt(e.ctx, a); found != want || err != nil {
		e.Fatalf("HasAttempt: %v, %v; want %v", found, err, want)
	}
}

var attemptCases = []testCase{
	{"kept by none", func(e *env) {
		if e.suite.KeepsAttempts {
			e.Skip("this engine keeps them")
		}
		a := e.attempt(time.Now(), 1)
		e.putAttempts(a)
		e.wantAttempts(time.Time{})
		e.wantAttempt(a, false)
		e.removeAttempt(a)
	}},
	{"put and remove", func(e *env) {
		e.needAttempts()
		now := time.Now()
		// From a server whose clock is ahead, from this server, and from two hours before.
		ahead, here, old := e.attempt(now.Add(4*time.Minute), 20), e.attempt(now, 0), e.attempt(now.Add(-2*time.Hour), 1)
		here.Origin, here.ContentStored, here.ContentReached, here.ContentSize = "", false, mail.ReachedLocal, 0
		old.Until = now.UTC().Add(time.Hour).Truncate(time.Microsecond)
		e.putAttempts(here, old, ahead, here)
		e.wantAttempts(now.Add(-3*time.Hour), ahead, here, old)
		e.wantAttempts(now.Add(-time.Hour), ahead, here)
		e.wantAttempts(here.Entered, ahead, here)
		e.wantAttempts(here.Entered.Add(time.Microsecond), ahead)
		e.removeAttempt(here)
		e.wantAttempts(now.Add(-3*time.Hour), ahead, old)
		e.wantAttempt(here, false)
		e.putAttempts(here) // a removed attempt stays removed
		e.wantAttempts(now.Add(-3*time.Hour), ahead, old)
		unseen := e.attempt(now, 2)
		e.removeAttempt(unseen)
		e.putAttempts(unseen)
		e.wantAttempt(unseen, false)
		e.removeAttempt(ahead)
		e.removeAttempt(ahead)
		e.wantAttempts(now.Add(-3*time.Hour), old)
	}},
	{"names", func(e *env) {
		// The same message tried twice, in the same microsecond and later, and another message.
		e.needAttempts()
		a := e.attempt(time.Now(), 1)
		again, later, other := a, a, e.attempt(a.Entered, 1)
		again.ID = e.ids.Next()
		later.Entered = later.Entered.Add(time.Microsecond)
		all := []store.Attempt{a, again, later, other}
		e.putAttempts(all...)
		for len(all) > 0 {
			got, err := attempts(e.ctx, e.Engine, a.Entered)
			if err != nil || len(got) != len(all) {
				e.Fatalf("Attempts: %d, %v; want %d", len(got), err, len(all))
			}
			for _, a := range all {
				e.wantAttempt(a, true)
				if !slices.ContainsFunc(got, func(b store.Attempt) bool { return reflect.DeepEqual(a, b) }) {
					e.Errorf("%+v is not among %+v", a, got)
				}
			}
			e.removeAttempt(all[0])
			e.wantAttempt(all[0], false)
			all = all[1:]
		}
	}},
	{"over", func(e *env) {
		e.needAttempts()
		now := time.Now()
		over, soon, later := e.attempt(now.Add(-2*time.Hour), 1), e.attempt(now.Add(-time.Minute), 1), e.attempt(now, 1)
		soon.Until = now.UTC().Add(2 * time.Second).Truncate(time.Microsecond)
		e.putAttempts(over, soon, later)
		e.wantAttempt(over, false)
		for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
			found, err := e.HasAttempt(e.ctx, soon)
			if err != nil {
				e.Fatalf("HasAttempt: %v", err)
			}
			if !found {
				break
			}
			if time.Now().After(deadline) {
				e.Fatal("an attempt does not end")
			}
		}
		if time.Now().Before(soon.Until) {
			e.Error("an attempt ended before its time")
		}
		e.wantAttempts(now.Add(-3*time.Hour), later)
	}},
	{"many", func(e *env) {
		e.needAttempts()
		start := time.Now()
		var all []store.Attempt
		for i := range 250 {
			all = append(all, e.attempt(start.Add(time.Duration(i)*time.Microsecond), i%3))
		}
		e.putAttempts(all...)
		slices.Reverse(all)
		e.wantAttempts(start.Add(-time.Second), all...)
		n := 0
		for range e.Attempts(e.ctx, start.Add(-time.Second)) {
			if n++; n == 120 {
				break
			}
		}
	}},
	{"cancelled context", func(e *env) {
		e.needAttempts()
		a := e.attempt(time.Now(), 1)
		e.wantCancelled("PutAttempt", e.PutAttempt(cancelled(), a))
		_, err := attempts(cancelled(), e.Engine, time.Now())
		e.wantCancelled("Attempts", err)
		_, err = e.HasAttempt(cancelled(), a)
		e.wantCancelled("HasAttempt", err)
		e.wantCancelled("RemoveAttempt", e.RemoveAttempt(cancelled(), a))
	}},
	{"closed", func(e *env) {
		e.needAttempts()
		a := e.attempt(time.Now(), 1)
		if err := e.Close(); err != nil {
			e.Fatalf("Close: %v", err)
		}
		_, listErr := attempts(e.ctx, e.Engine, time.Now())
		_, hasErr := e.HasAttempt(e.ctx, a)
		for _, err := range []error{e.PutAttempt(e.ctx, a), listErr, hasErr, e.RemoveAttempt(e.ctx, a)} {
			if !errors.Is(err, store.ErrClosed) {
				e.Errorf("after Close: %v", err)
			}
		}
	}},
}

func (e *env) needAttempts() {
	if !e.suite.KeepsAttempts {
		e.Skip("this engine keeps none")
	}
}
