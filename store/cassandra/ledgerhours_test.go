package cassandra

import (
	"context"
	"errors"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// hours is a session to a ledger with one attempt in every hour. The lost hour lacks a quorum; without others no node answers.
type hours struct {
	driver.Session
	lost   int
	others bool
}

func (h hours) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	hour := st.Values[1].(int)
	if hour == h.lost {
		return nil, answer(gocql.ErrCodeUnavailable)
	}
	if !h.others {
		return nil, gocql.ErrNoConnections
	}
	return &listedRows{list: []func([]any){func(dest []any) {
		*dest[0].(*int64) = int64(hour) * time.Hour.Microseconds()
		*dest[1].(*[]byte) = make([]byte, 32)
		*dest[3].(*int64) = micros(time.Now().Add(time.Hour))
	}}}, nil
}

// An hour of the ledger that lacks a quorum hides no other hour. Without any node the ledger is asked once.
func TestAttemptsBehindALostHour(t *testing.T) {
	e, _, _ := beating(t)
	now := e.cfg.Now()
	for _, c := range []struct {
		others         bool
		attempts, errs int
	}{{true, 4, 1}, {false, 0, 1}} {
		lost := hourOf(micros(now)) - 1
		if !c.others {
			lost = -1
		}
		e.link.current.Store(&route{datacenter: "dc1", session: hours{lost: lost, others: c.others}})
		since, attempts, errs := now.Add(-3*time.Hour), 0, 0
		last := hourOf(micros(now.Add(store.MaxOthersAhead)))
		for _, err := range e.storeAt(levelLocal).Attempts(t.Context(), since) {
			unread := new(store.UnreadAttempts)
			switch {
			case err == nil:
				attempts++
			case !errors.As(err, &unread) || !errors.Is(err, store.ErrUnavailable):
				t.Errorf("%v", err)
			case c.others && hourOf(micros(unread.From)) != lost || !c.others && !unread.From.Equal(since):
				t.Errorf("unread since %v", unread.From)
				fallthrough
			default:
				errs++
			}
		}
		want := c.attempts
		if c.others {
			want = last - hourOf(micros(since)) // every hour but one
		}
		if attempts != want || errs != c.errs {
			t.Errorf("%d attempts and %d errors, want %d and %d", attempts, errs, want, c.errs)
		}
	}
}
