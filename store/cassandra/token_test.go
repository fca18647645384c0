package cassandra

import (
	"context"
	"errors"
	"fmt"
	"math"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
	"popelago/store/cassandra/murmur"
)

// ring is a session to a ring with access tokens by the token of their partition. The partitions from 1 up to lost
// lack a quorum.
type ring struct {
	driver.Session
	ids  map[int64]string
	lost int64
}

func (r ring) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	first, last := int64(math.MinInt64), int64(math.MaxInt64)
	if st.CQL == scanArc {
		first, last = st.Values[0].(int64), st.Values[1].(int64)
	}
	if r.lost > 0 && first < r.lost && last >= 1 {
		return nil, answer(gocql.ErrCodeUnavailable)
	}
	rows := &listedRows{}
	for at, id := range r.ids {
		if at > first && at <= last {
			rows.list = append(rows.list, func(dest []any) { *dest[0].(*string), *dest[1].(*[]byte) = id, make([]byte, 32) })
		}
	}
	return rows, nil
}

// While a part of the ring lacks a quorum, a list has the tokens of the rest beside the error.
func TestTokensOfAPartOfTheRing(t *testing.T) {
	e, _, _ := beating(t)
	r := ring{ids: map[int64]string{math.MaxInt64: "last"}}
	for i := range 500 {
		id := fmt.Sprint("token", i)
		r.ids[murmur.Token([]byte(id))] = id
	}
	for i := range int64(arcs) {
		border := scanStart + i*arcLength
		r.ids[border+1] = fmt.Sprint("first of arc ", i)
		if i > 0 {
			r.ids[border] = fmt.Sprint("last of arc ", i-1)
		}
	}
	for _, lost := range []int64{0, 1, arcLength / 2, arcLength + 1, 20 * arcLength} {
		r.lost = lost
		e.link.current.Store(&route{datacenter: "dc1", session: r})
		found, err := e.storeAt(levelLocal).ListTokens(t.Context())
		want := map[string]bool{}
		for at, id := range r.ids {
			arc := (at - 1) >> 58 // arcs end with their last token
			if lost == 0 || arc < 0 || arc > (lost-1)>>58 {
				want[id] = true
			}
		}
		for _, token := range found {
			if !want[token.ID] {
				t.Errorf("%d lost: %s is listed twice, or is lost", lost, token.ID)
			}
			delete(want, token.ID)
		}
		if len(want) > 0 || (err == nil) != (lost == 0) || err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%d lost: %d tokens are missing, %v", lost, len(want), err)
		}
	}
}

// A list of the tokens on an overloaded server waits for a place once, and not once more for each arc.
func TestTokensOfAnOverloadedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := beating(t)
		for range e.runner.limit.State().Limit {
			if !e.runner.tryEnter(limit.Foreground) {
				t.Fatal("no place")
			}
		}
		began := time.Now()
		_, err := e.storeAt(levelLocal).ListTokens(t.Context())
		if took := time.Since(began); !errors.Is(err, store.ErrOverloaded) || took != e.cfg.QueueTime {
			t.Errorf("after %v: %v; want an overload after %v", took, err, e.cfg.QueueTime)
		}
	})
}
