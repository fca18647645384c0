package cassandra

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// markRows is a session to a node with the right time, and to the watermarks of other servers. The watermark of this server, and the
// arcs of the ring up to the token 0, lack a quorum, until own is set.
type markRows struct {
	driver.Session
	others []time.Duration // ages
	own    *int64
}

func (m markRows) Nodes() []driver.Node {
	return []driver.Node{{ID: "1", Datacenter: "dc1", Up: true}}
}

func (m markRows) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	rows := &listedRows{}
	row := func(scan func(dest []any)) { rows.list = append(rows.list, scan) }
	switch st.CQL {
	case selectClock:
		row(func(dest []any) { *dest[0].(*int64) = time.Now().UnixMilli() })
	case selectWatermark:
		if m.own == nil {
			return nil, lost
		}
		row(func(dest []any) { *dest[0].(**int64), *dest[1].(**int64) = m.own, m.own })
	case scanWatermarksArc:
		if st.Values[0].(int64) < 0 {
			return nil, lost
		}
		if st.Values[0].(int64) == 0 {
			for _, age := range m.others {
				row(func(dest []any) { *dest[0].(**int64) = new(micros(time.Now().Add(-age))) })
			}
		}
	default:
		return nil, lost
	}
	return rows, nil
}

// The watermark of a server is one partition. While too few of its replicas are alive, a server that starts takes mail by the
// watermarks of the other servers: they show a clock that is behind, if they are of the last day.
func TestStartWithoutWatermark(t *testing.T) {
	for name, c := range map[string]struct {
		others  []time.Duration
		trusted bool
	}{
		"a minute ago":       {[]time.Duration{1000 * time.Hour, time.Minute}, true},
		"the clock differs":  {[]time.Duration{time.Minute, -time.Minute}, true},
		"the clock is wrong": {[]time.Duration{time.Minute, -6 * time.Minute}, false},
		"two days ago":       {[]time.Duration{48 * time.Hour}, false},
		"no other server":    {nil, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			e, _, _ := beating(t)
			e.clock.last.Store(nil)
			use := func(s driver.Session) { e.link.current.Store(&route{datacenter: "dc1", session: s}) }
			use(markRows{others: c.others})
			err := e.clock.compareNow(t.Context())
			if (err == nil) != c.trusted || (e.clock.Clock() == nil) != c.trusted {
				t.Errorf("%s: %v, %v", name, err, e.clock.Clock())
			}
			// The own watermark decides once it can be read.
			for ahead, want := range map[time.Duration]error{0: nil, time.Hour: store.ErrClock} {
				use(markRows{own: new(micros(time.Now().Add(ahead)))})
				e.clock.mark.known = false
				if err := e.clock.compareNow(t.Context()); err != nil || !errors.Is(e.clock.Clock(), want) {
					t.Errorf("%s, and own %v ahead: %v, %v", name, ahead, err, e.clock.Clock())
				}
			}
		})
	}
}

// A watermark that was read counts while it cannot be read again.
func TestKnownWatermark(t *testing.T) {
	for ahead, want := range map[time.Duration]error{time.Minute: nil, time.Hour: store.ErrClock} {
		synctest.Test(t, func(t *testing.T) {
			e, _, _ := beating(t)
			e.clock.mark.high.Store(micros(time.Now().Add(ahead)))
			e.clock.mark.known = true
			e.link.current.Store(&route{datacenter: "dc1", session: markRows{others: []time.Duration{time.Minute}}})
			if err := e.clock.compareNow(t.Context()); err != nil || !errors.Is(e.clock.Clock(), want) {
				t.Errorf("%v ahead: %v, %v", ahead, err, e.clock.Clock())
			}
		})
	}
}
