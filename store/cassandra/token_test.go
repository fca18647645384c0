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
	switch st.CQL {
	case scanArc, scanDomainsArc, scanRemovedArc, scanContentsArc:
		first, last = st.Values[0].(int64), st.Values[1].(int64)
	case scanContents:
		first = st.Values[0].(int64)
	}
	if r.lost > 0 && first < r.lost && last >= 1 {
		return nil, answer(gocql.ErrCodeUnavailable)
	}
	rows := &listedRows{}
	for at, id := range r.ids {
		if at <= first || at > last {
			continue
		}
		rows.list = append(rows.list, func(dest []any) {
			switch to := dest[1].(type) {
			case *[]byte: // of a token
				*dest[0].(*string), *to = id, make([]byte, 32)
			case **int64: // created, of a domain
				*dest[0].(*string), *to = id, new(int64)
			case *bool: // removed
				*dest[0].(*string), *to = id, true
			case *gocql.UUID: // of a content in flight
				*dest[0].(*int64), *to = at, gocql.TimeUUID()
			}
		})
	}
	return rows, nil
}

// While a part of the ring lacks a quorum, the lists of tokens and domains have the rows of the rest beside the error, and the
// scan for orphans leaves out the rest only. Without any part the scan stays.
func TestPartOfTheRing(t *testing.T) {
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
	lists := map[string]func() ([]string, error){
		"tokens": func() ([]string, error) {
			list, err := e.storeAt(levelLocal).ListTokens(t.Context())
			return names(list, func(t store.Token) string { return t.ID }), err
		},
		"domains": func() ([]string, error) {
			list, err := e.storeAt(levelLocal).ListDomains(t.Context())
			return names(list, func(d store.Domain) string { return d.Name }), err
		},
		"removed domains": func() ([]string, error) {
			list, err := e.storeAt(levelLocal).RemovedDomains(t.Context())
			return names(list, func(d store.RemovedDomain) string { return d.Name }), err
		},
	}
	for _, lost := range []int64{0, 1, arcLength / 2, arcLength + 1, 20 * arcLength} {
		r.lost = lost
		e.link.current.Store(&route{datacenter: "dc1", session: r})
		lostArcs := 0
		if lost > 0 {
			lostArcs = int((lost-1)>>58) + 1
		}
		readable := 0
		for what, list := range lists {
			found, err := list()
			want := map[string]bool{}
			for at, id := range r.ids {
				arc := (at - 1) >> 58 // arcs end with their last token
				if lost == 0 || arc < 0 || arc > (lost-1)>>58 {
					want[id] = true
				}
			}
			readable = len(want)
			for _, id := range found {
				if !want[id] {
					t.Errorf("%s, %d lost: %s is listed twice, or is lost", what, lost, id)
				}
				delete(want, id)
			}
			if len(want) > 0 || (err == nil) != (lost == 0) || err != nil && !errors.Is(err, store.ErrUnavailable) {
				t.Errorf("%s, %d lost: %d are missing, %v", what, lost, len(want), err)
			}
		}
		looked := 0
		scan := &orphanRun{sweepRun: e.sweep.newRun(e.cfg.Now())}
		scan.cfg.ScanRate = 1_000_000
		position, err := scan.scanSome(t.Context(), scanStart, &looked)
		if err != nil || position != scanEnd || looked != readable || scan.report.Blocked != lostArcs {
			t.Errorf("%d lost: position %d, %d of %d contents, %d arcs blocked, %v", lost, position, looked, readable, scan.report.Blocked, err)
		}
	}
	e.link.current.Store(&route{datacenter: "dc1", session: nothing{}})
	scan := &orphanRun{sweepRun: e.sweep.newRun(e.cfg.Now())}
	if _, err := scan.scanSome(t.Context(), scanEnd-arcLength, new(int)); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("nothing can be read: %v", err)
	}
}

// hanging is a ring whose scans of the whole ring hang, and the scans of some arcs.
type hanging struct {
	ring
	arcs map[int64]bool // by their begin
}

func (h hanging) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	if st.CQL == scanTokens || h.arcs[st.Values[0].(int64)] {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return h.ring.Execute(ctx, st)
}

// While nodes hang, a list of the tokens keeps time for the arcs that answer, however many arcs hang.
func TestTokensOfNodesThatHang(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e, _, _ := beating(t)
		h := hanging{ring: ring{ids: map[int64]string{}}, arcs: map[int64]bool{}}
		for i := range int64(arcs) {
			border := scanStart + i*arcLength
			h.ids[border+1] = fmt.Sprint("arc ", i)
			h.arcs[border] = i < 40
		}
		e.link.current.Store(&route{datacenter: "dc1", session: h})
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		list, err := e.storeAt(levelLocal).ListTokens(ctx)
		if len(list) != arcs-40 || !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			t.Errorf("%d tokens, %v; want those of %d arcs", len(list), err, arcs-40)
		}
	})
}

func names[T any](list []T, name func(T) string) (all []string) {
	for _, row := range list {
		all = append(all, name(row))
	}
	return all
}

// nothing is a session to a cluster without any quorum.
type nothing struct{ driver.Session }

func (nothing) Execute(context.Context, *driver.Statement) (driver.Rows, error) {
	return nil, answer(gocql.ErrCodeUnavailable)
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
