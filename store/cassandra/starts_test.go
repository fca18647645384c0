package cassandra

import (
	"context"
	"maps"
	"net"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// A node of another datacenter that was killed or replaced during the absence has lost hints: only the operator ends the
// confirmation, also after a restart and after further absences.
func TestConfirmAfterLostHints(t *testing.T) {
	now := time.Now()
	before := starts{{"dc2", "10.2.0.1"}: 7, {"dc2", "10.2.0.2"}: 7, {"dc9", "10.9.0.1"}: 7}
	for _, c := range []struct {
		name    string
		started starts
		lost    string // node that has lost hints; empty: none has
	}{
		{"as before", starts{{"dc2", "10.2.0.1"}: 7, {"dc2", "10.2.0.2"}: 7}, ""},
		{"started", starts{{"dc2", "10.2.0.1"}: 8, {"dc2", "10.2.0.2"}: 7}, "dc2 10.2.0.1"},
		{"gone", starts{{"dc2", "10.2.0.1"}: 7}, "dc2 10.2.0.2"},
		{"moved", starts{{"dc2", "10.2.0.1"}: 7, {"dc2", "10.2.0.3"}: 9}, "dc2 10.2.0.2, dc2 10.2.0.3"},
		{"of a new datacenter", starts{{"dc2", "10.2.0.1"}: 7, {"dc2", "10.2.0.2"}: 7, {"dc3", "10.3.0.1"}: 9}, "dc3 10.3.0.1"},
	} {
		for _, restart := range []bool{false, true} {
			s := failing(t, t.TempDir())
			s.peers.setStarts(before)
			s.away(t, now.Add(-time.Minute), now)
			s.peers.setStarts(c.started) // learnt after the return
			if restart {
				s = s.restart(t, now)
			}
			s.away(t, now.Add(-time.Minute), now)
			for at := time.Duration(0); at < 10*time.Minute && s.confirmation.absence != nil; at += 5 * time.Second {
				a := handoffAnswer{handoff: handoff{window: 3 * time.Hour, hidden: 35 * time.Second}, started: c.started, asked: now.Add(at)}
				s.confirmation.judge(a.asked, a)
			}
			if confirmed := s.confirmation.absence != nil; confirmed != (c.lost != "") {
				t.Errorf("%s, restart %v: confirmed %v", c.name, restart, confirmed)
			}
			if lost := strings.Join(before.changed(c.started), ", "); lost != c.lost {
				t.Errorf("%s: the log names %q, want %q", c.name, lost, c.lost)
			}
		}
	}
}

// gossipers is a session to nodes that tell the generations and addresses of nodes.
type gossipers struct {
	driver.Session
	generations map[string]int
	peers       [][3]string // datacenter, address, internal address
	list        []driver.Node
}

func (g gossipers) Nodes() []driver.Node { return g.list }

func (g gossipers) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	rows := &listedRows{}
	switch st.CQL {
	case selectHeartbeats:
		if g.generations == nil {
			return nil, gocql.ErrTimeoutNoResponse
		}
		for address, generation := range g.generations {
			rows.list = append(rows.list, func(dest []any) {
				*dest[0].(*net.IP), *dest[1].(*int), *dest[2].(*int) = net.ParseIP(address), generation, 1
			})
		}
	case selectPeerAddresses:
		for _, p := range g.peers {
			rows.list = append(rows.list, func(dest []any) {
				*dest[0].(*string), *dest[1].(*string), *dest[2].(*int), *dest[3].(*net.IP) = p[0], p[1], 9042, net.ParseIP(p[2])
			})
		}
	}
	return rows, nil
}

// listedRows is a page of rows.
type listedRows struct {
	driver.Rows
	list []func(dest []any)
	row  func(dest []any)
}

func (*listedRows) Page() []byte { return nil }
func (*listedRows) Close() error { return nil }
func (r *listedRows) Next() bool {
	if len(r.list) == 0 {
		return false
	}
	r.row, r.list = r.list[0], r.list[1:]
	return true
}
func (r *listedRows) Scan(dest ...any) error {
	r.row(dest)
	return nil
}

// Generations are learnt from a local node, and later from each node of the other datacenters. While they cannot be
// read, those of before stay.
func TestGenerationsAreLearnt(t *testing.T) {
	s := failing(t, t.TempDir())
	peers := [][3]string{{"dc1", "1.1.0.2", "10.1.0.2"}, {"dc2", "1.2.0.1", "10.2.0.1"}, {"dc2", "1.2.0.2", "10.2.0.2"}}
	want := starts{{"dc2", "10.2.0.1"}: 7, {"dc2", "10.2.0.2"}: 8}
	generations := map[string]int{"10.1.0.1": 5, "10.1.0.2": 6, "10.2.0.1": 7, "10.2.0.2": 8}
	for _, known := range []map[string]int{generations, nil} {
		s.local.session = gossipers{generations: known, peers: peers}
		s.learnt = time.Time{}
		s.learnNodes(t.Context(), time.Now())
		if got := s.peers.starts(); !maps.Equal(got, want) {
			t.Errorf("learnt: %v, want %v", got, want)
		}
	}
	other := &route{"dc2", gossipers{generations: generations, list: []driver.Node{
		{ID: "a", Internal: "10.2.0.1", Datacenter: "dc2"}, {ID: "b", Internal: "10.2.0.2", Datacenter: "dc2"},
	}}}
	got := starts{}
	if _, err := s.confirmation.asker.askDatacenter(t.Context(), other, nil, got); err != nil || !maps.Equal(got, want) {
		t.Errorf("asked: %v, %v, want %v", got, err, want)
	}
}

// A datacenter with replicas whose nodes the driver does not know has not answered.
func TestNobodyToAsk(t *testing.T) {
	s := failing(t, t.TempDir())
	if _, err := s.confirmation.asker.askDatacenter(t.Context(), &route{"dc2", gossipers{}}, nil, starts{}); err == nil {
		t.Error("nobody was asked, and confirmation may end")
	}
}
