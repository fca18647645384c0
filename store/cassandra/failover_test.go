package cassandra

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/cassandra/driver"
	"popelago/store/cassandra/limit"
	"popelago/store/cassandra/murmur"
)

// health is what works in a datacenter.
type health int

const (
	serving   health = iota
	noQuorum         // nodes can be reached, and too few for a quorum
	unreached        // no node can be reached
)

// continent is a cluster of datacenters that differ in health. It implements driver.Cluster.
type continent map[string]health

func (c continent) Open(_ context.Context, o driver.Options) (driver.Session, error) {
	if c[o.Datacenter] == unreached {
		return nil, gocql.ErrNoConnections
	}
	return visitor{continent: c, datacenter: o.Datacenter}, nil
}

// visitor is a session to the nodes of a datacenter.
type visitor struct {
	driver.Session
	continent  continent
	datacenter string
}

func (v visitor) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	worst := v.continent[v.datacenter]
	if st.Consistency == gocql.EachQuorum {
		for _, h := range v.continent {
			worst = max(worst, h)
		}
	}
	if worst == unreached || worst == noQuorum && st.Consistency != gocql.One {
		return nil, gocql.ErrNoConnections
	}
	if st.CQL == selectReplication {
		return nil, gocql.ErrTimeoutNoResponse // nobody learns who has hints, and reads stay confirmed
	}
	return &emptyRow{}, nil
}

func (v visitor) Nodes() []driver.Node {
	return []driver.Node{{ID: v.datacenter, Datacenter: v.datacenter, Up: v.continent[v.datacenter] != unreached}}
}

func (visitor) Close() {}

// emptyRow is the answer to each statement: a row without values.
type emptyRow struct {
	driver.Rows
	read bool
}

func (r *emptyRow) Next() bool {
	first := !r.read
	r.read = true
	return first
}
func (*emptyRow) Page() []byte      { return nil }
func (*emptyRow) Scan(...any) error { return nil }
func (*emptyRow) Close() error      { return nil }

// traveller is the failover of a server in dc1, which fails over to dc2, and then to dc3. Its tests run in bubbles
// of synctest, where no probe is slow.
type traveller struct {
	*failover
	t    *testing.T
	all  continent
	logs *mailtest.Log
	now  time.Time
}

func travel(t *testing.T, all continent) *traveller {
	t.Helper()
	logs := &mailtest.Log{}
	cfg, err := Config{
		Hosts: []string{"127.0.0.1"}, Datacenter: "dc1", Failover: []string{"dc2", "dc3"}, FailoverAfter: 10 * time.Second,
		SpoolDir: t.TempDir(), Server: "test", Logger: slog.New(slog.NewTextHandler(logs, nil)), Cluster: all,
	}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	c := newComplaints(cfg.Logger)
	f := newFailover(newLink(cfg, nil, newMetrics(limit.New(limit.Config{})), newPeerNodes(cfg, c)), c)
	return &traveller{failover: f, t: t, all: all, logs: logs, now: time.Now()}
}

func opened(t *testing.T, all continent) *traveller {
	t.Helper()
	s := travel(t, all)
	if err := s.open(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return s
}

// pass lets a time pass.
func (s *traveller) pass(d time.Duration) {
	for end := s.now.Add(d); s.now.Before(end); {
		s.now = s.now.Add(2 * time.Second)
		s.step(s.t.Context(), s.now)
	}
}

func (s *traveller) wantAbsence() {
	s.t.Helper()
	a := s.confirmation.file.load()
	if a == nil || !a.back.IsZero() || !a.left.Equal(s.confirmation.absence.left) {
		s.t.Errorf("the file holds %+v, want the absence since %v", a, s.confirmation.absence.left)
	}
	if n := testutil.ToFloat64(s.link.metrics.failover); n != 1 {
		s.t.Errorf("the metric is %v", n)
	}
}

// A second datacenter goes away, or loses its quorum, while the local one is away: statements go to the third. They
// return to the local datacenter as after any absence, once reads can be confirmed with all the others.
func TestSecondOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, second := range []health{noQuorum, unreached} {
			s := opened(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
			s.pass(time.Minute)
			s.wantReads(t, "dc1", gocql.LocalQuorum)
			s.all["dc1"] = unreached
			s.pass(20 * time.Second)
			s.wantReads(t, "dc2", gocql.LocalQuorum)
			left := s.confirmation.absence.left

			s.all["dc2"] = second
			s.pass(8 * time.Second)
			s.wantReads(t, "dc2", gocql.LocalQuorum) // it may be back in a moment
			s.pass(8 * time.Second)
			s.wantReads(t, "dc3", gocql.LocalQuorum)
			s.wantAbsence()
			if !strings.Contains(s.logs.String(), noOtherEither) {
				t.Errorf("the log says nothing of the second failover:\n%s", s.logs)
			}

			// Without dc2 reads cannot be confirmed: statements stay where they are served.
			s.all["dc1"] = serving
			s.pass(2 * time.Minute)
			s.wantReads(t, "dc3", gocql.LocalQuorum)
			if n := strings.Count(s.logs.String(), "reads cannot be confirmed"); n != 1 {
				t.Errorf("the log says %d times why statements do not return", n)
			}
			s.all["dc2"] = serving
			s.pass(2 * time.Minute)
			s.wantReads(t, "dc1", gocql.EachQuorum)
			if a := s.confirmation.absence; !a.left.Equal(left) || a.back.IsZero() {
				t.Errorf("%+v is confirmed, want all since %v", a, left)
			}
		}
	})
}

// While reads cannot be confirmed, statements stay with a datacenter that stumbles for a moment: the local datacenter
// could not be read at all.
func TestStumbleKeepsStatements(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
		s.all["dc1"] = unreached
		s.pass(20 * time.Second)
		s.all["dc1"], s.all["dc3"] = serving, unreached
		s.pass(2 * time.Minute)
		for _, stumble := range []health{noQuorum, unreached} {
			s.all["dc2"] = stumble
			s.pass(8 * time.Second)
			s.wantReads(t, "dc2", gocql.LocalQuorum)
			s.all["dc2"] = serving
			s.pass(2 * time.Minute)
			s.wantReads(t, "dc2", gocql.LocalQuorum)
		}
		s.all["dc2"] = noQuorum // for good
		s.pass(time.Minute)
		s.wantReads(t, "dc1", gocql.EachQuorum)
	})
}

// worn is a continent whose datacenters lost the quorum of partitions of a probe: of so many of the first, or, for a
// negative number, of the last.
type worn struct {
	continent
	lost map[string]int
}

func (w worn) Open(ctx context.Context, o driver.Options) (driver.Session, error) {
	session, err := w.continent.Open(ctx, o)
	return wornVisitor{session, w, o.Datacenter}, err
}

type wornVisitor struct {
	driver.Session
	worn       worn
	datacenter string
}

func (v wornVisitor) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	if strings.Contains(st.CQL, "schema_version") {
		number := 0
		if len(st.Values) > 0 {
			number = max(0, slices.Index(probeNames[:], st.Values[0].(string)))
		}
		for datacenter, lost := range v.worn.lost {
			if isLost := number < lost || number >= probes+lost && lost < 0; isLost && (datacenter == v.datacenter || st.Consistency == gocql.EachQuorum) {
				return nil, gocql.ErrTimeoutNoResponse
			}
		}
	}
	return v.Session.Execute(ctx, st)
}

// wearing returns a server in a cluster without lost partitions.
func wearing(t *testing.T, all continent) (*traveller, worn) {
	t.Helper()
	s, w := travel(t, all), worn{all, map[string]int{}}
	s.link.cfg.Cluster = w
	return s, w
}

// A datacenter of many nodes comes back bit by bit: statements return when the local nodes serve as much as the other
// datacenter. A server that restarts meanwhile waits as well.
func TestReturnWaitsForTheWholeRing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := wearing(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
		if err := s.open(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s.all["dc1"] = unreached
		s.pass(20 * time.Second)
		s.wantReads(t, "dc2", gocql.LocalQuorum)
		s.all["dc1"] = serving
		for _, lost := range []int{probes - 1, probes / 2, 2} {
			w.lost["dc1"] = -lost
			s.pass(2 * time.Minute)
			s.wantReads(t, "dc2", gocql.LocalQuorum)
			again, _ := wearing(t, s.all)
			again.link.cfg.Cluster = w
			again.confirmation.file = s.confirmation.file
			if err := again.open(t.Context(), false); err != nil {
				t.Fatal(err)
			}
			again.wantReads(t, "dc2", gocql.LocalQuorum)
		}
		if !strings.Contains(s.logs.String(), servesPart) {
			t.Errorf("the log does not say why statements stay:\n%s", s.logs)
		}
		w.lost["dc2"] = -2 // the local nodes serve as much
		s.pass(2 * time.Minute)
		s.wantReads(t, "dc1", gocql.EachQuorum)
	})
}

// Each partition of a probe is in an eighth of the ring of its own.
func TestProbesAreSpread(t *testing.T) {
	for i, name := range probeNames {
		if part := (uint64(murmur.Token([]byte(name))) + 1<<63) >> 61; part != uint64(i) {
			t.Errorf("%s is in part %d", name, part)
		}
	}
}

// Two nodes of a large datacenter that take a partition along are no reason against this datacenter.
func TestLostPartitionDecidesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, w := wearing(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
		w.lost["dc2"], w.lost["dc1"] = 1, 1
		if err := s.open(t.Context(), false); err != nil {
			t.Fatal(err)
		}
		s.all["dc1"] = unreached
		s.pass(20 * time.Second)
		s.wantReads(t, "dc2", gocql.LocalQuorum)
		s.pass(time.Minute)
		s.wantReads(t, "dc2", gocql.LocalQuorum)
		s.all["dc1"] = serving
		s.pass(2 * time.Minute)
		s.wantReads(t, "dc1", gocql.EachQuorum)
	})
}

// coordinators is a session whose nodes are asked in order, as far as a statement permits.
type coordinators struct {
	driver.Session
	nodes []coordinator
}

// coordinator is a node that hangs, or answers with an error; nil: with a row.
type coordinator struct {
	hangs bool
	err   error
}

func (c coordinators) Execute(ctx context.Context, st *driver.Statement) (driver.Rows, error) {
	failed := error(gocql.ErrNoConnections)
	attempts := 0
	for i, n := range c.nodes {
		if !st.Choice.Admits(fmt.Sprint("node ", i)) {
			continue
		}
		attempts++
		if n.hangs {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		if n.err == nil {
			return &emptyRow{}, nil
		}
		if failed = n.err; st.Retry == nil || !st.Retry(ctx, attempts, failed) {
			break
		}
	}
	return nil, failed
}

// A partition can be read although a node hangs or fails: a probe asks others.
func TestProbeAsksFurtherNodes(t *testing.T) {
	hanging, failing, sound := coordinator{hangs: true}, coordinator{err: gocql.ErrTimeoutNoResponse}, coordinator{}
	for i, c := range []struct {
		nodes []coordinator
		reads bool
	}{
		{[]coordinator{sound}, true},
		{[]coordinator{failing, sound}, true},
		{[]coordinator{hanging, sound}, true},
		{[]coordinator{hanging, failing, sound}, true},
		{[]coordinator{failing, hanging, sound}, true},
		{[]coordinator{failing, failing, failing}, false},
		{[]coordinator{hanging, hanging, hanging}, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			r, began := &route{session: coordinators{nodes: c.nodes}}, time.Now()
			if got := r.reads(t.Context(), "popelago", "probe", gocql.LocalQuorum); got != c.reads || time.Since(began) > probeTime {
				t.Errorf("%d: reads: %v after %v", i, got, time.Since(began))
			}
		})
	}
}

// A failing datacenter that is the only one left keeps the statements, and the first that serves again takes them.
func TestThirdOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
		s.all["dc1"] = unreached
		s.pass(20 * time.Second)
		s.all["dc2"] = noQuorum
		s.pass(20 * time.Second)
		s.wantReads(t, "dc3", gocql.LocalQuorum)
		s.all["dc3"] = unreached
		s.pass(time.Minute)
		s.wantReads(t, "dc3", gocql.LocalQuorum)
		s.all["dc2"] = serving
		s.pass(4 * time.Second)
		s.wantReads(t, "dc2", gocql.LocalQuorum)
		s.wantAbsence()

		// If no other datacenter serves, nothing is gained by waiting there.
		s.all["dc1"], s.all["dc2"] = serving, noQuorum
		s.pass(2 * time.Minute)
		s.wantReads(t, "dc1", gocql.EachQuorum)
	})
}

// A second failover needs no new note on the disk: the note of the absence is there.
func TestSecondOutageOnFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, continent{"dc1": unreached, "dc2": serving, "dc3": serving})
		s.wantReads(t, "dc2", gocql.LocalQuorum)
		s.confirmation.file.path += "/not a folder/confirm-reads"
		s.all["dc2"] = unreached
		s.pass(20 * time.Second)
		s.wantReads(t, "dc3", gocql.LocalQuorum)
	})
}

// A start while the local datacenter is away passes over a datacenter without a quorum, and takes such a
// datacenter only if no other can be reached.
func TestStartPassesOverNoQuorum(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			dc2, dc3 health
			want     string
		}{
			{serving, serving, "dc2"}, {noQuorum, serving, "dc3"}, {unreached, serving, "dc3"},
			{noQuorum, noQuorum, "dc2"}, {unreached, noQuorum, "dc3"}, {noQuorum, unreached, "dc2"},
		} {
			for _, away := range []bool{false, true} {
				s := travel(t, continent{"dc1": unreached, "dc2": c.dc2, "dc3": c.dc3})
				if err := s.open(t.Context(), away); err != nil {
					t.Fatal(err)
				}
				s.wantReads(t, c.want, gocql.LocalQuorum)
				s.wantAbsence()
			}
		}
		s := travel(t, continent{"dc1": unreached, "dc2": unreached, "dc3": unreached})
		if err := s.open(t.Context(), false); err == nil || s.confirmation.file.exists() {
			t.Errorf("no datacenter can be reached: %v", err)
		}
	})
}

// restarted is a server that starts in the middle of an absence: dc1 went away, statements go to dc2, and then the health
// changes before the start.
func restarted(t *testing.T, then continent) *traveller {
	t.Helper()
	s := opened(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
	s.all["dc1"] = unreached
	s.pass(20 * time.Second)
	s.wantReads(t, "dc2", gocql.LocalQuorum)
	again := travel(t, then)
	again.confirmation.file = s.confirmation.file
	if err := again.open(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	return again
}

// A server that restarts during an absence returns as other servers do: not while the local nodes lack a quorum, and
// not while reads cannot be confirmed.
func TestRestartDuringAbsence(t *testing.T) {
	for _, c := range []struct {
		dc1, dc2, dc3 health
		want          string
		level         gocql.Consistency
	}{
		{serving, serving, serving, "dc1", gocql.EachQuorum},
		{noQuorum, serving, serving, "dc2", gocql.LocalQuorum},
		{noQuorum, noQuorum, serving, "dc3", gocql.LocalQuorum},
		{serving, serving, unreached, "dc2", gocql.LocalQuorum},
		{serving, unreached, serving, "dc3", gocql.LocalQuorum},
		// If no other datacenter serves, nothing is gained there.
		{noQuorum, noQuorum, unreached, "dc1", gocql.EachQuorum},
		{serving, noQuorum, unreached, "dc1", gocql.EachQuorum},
	} {
		s := restarted(t, continent{"dc1": c.dc1, "dc2": c.dc2, "dc3": c.dc3})
		s.wantReads(t, c.want, c.level)
		if c.want == "dc1" {
			continue
		}
		s.wantAbsence()
		s.pass(2 * time.Minute)
		s.wantReads(t, c.want, c.level)
		s.all["dc1"], s.all["dc2"], s.all["dc3"] = serving, serving, serving
		s.pass(2 * time.Minute)
		s.wantReads(t, "dc1", gocql.EachQuorum)
	}
}

// towns is a cluster of nodes that know the schema. Addresses in 10.1 are in dc1, which lacks a quorum.
type towns struct{ driver.Cluster }

func (towns) Open(_ context.Context, o driver.Options) (driver.Session, error) {
	return town{away: strings.HasPrefix(o.Hosts[0], "10.1.")}, nil
}

// town is a session to a node.
type town struct {
	driver.Session
	away bool
}

func (town) Close() {}

func (n town) Execute(_ context.Context, st *driver.Statement) (driver.Rows, error) {
	if n.away && st.Consistency == gocql.LocalQuorum {
		return nil, gocql.ErrTimeoutNoResponse
	}
	row := func(dest []any) {
		switch d := dest[0].(type) {
		case *string:
			if *d = "dc1"; !n.away {
				*d = "dc2"
			}
		case *int:
			*d = SchemaVersion()
		case *map[string]string:
			*d = map[string]string{"dc1": "3", "dc2": "3"}
		}
	}
	rows := &listedRows{list: []func([]any){row}}
	if st.CQL == selectDatacenters {
		rows.list = append(rows.list, func(dest []any) { *dest[0].(*string) = "dc1" })
	}
	return rows, nil
}

// A server can restart during an absence although its own nodes lack a quorum. Otherwise the start waits for the quorum.
func TestSchemaReadElsewhere(t *testing.T) {
	s := travel(t, continent{"dc1": serving})
	s.cfg.Hosts, s.cfg.Cluster = []string{"10.1.0.1"}, towns{}
	s.peers.set(map[string][]string{"dc1": {"10.1.0.1"}, "dc2": {"10.2.0.1"}}, s.now)
	for _, c := range []struct {
		recorded *absence
		starts   bool
	}{{nil, false}, {&absence{left: s.now, back: s.now}, false}, {&absence{left: s.now}, true}} {
		if c.recorded != nil {
			if err := s.confirmation.file.save(c.recorded); err != nil {
				t.Fatal(err)
			}
		}
		_, localAway, err := examineCluster(t.Context(), s.cfg, s.peers)
		if (err == nil) != c.starts || localAway || err != nil && !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%+v: local away %v, %v", c.recorded, localAway, err)
		}
	}
}

// Without datacenters to fail over to, a start without a local node fails with the reason, and records no absence. An
// absence from before, when there were some, is resumed.
func TestStartWithoutFailover(t *testing.T) {
	s := travel(t, continent{"dc1": unreached, "dc2": serving})
	s.cfg.Failover, s.link.cfg.Failover = nil, nil
	if err := s.open(t.Context(), false); !errors.Is(err, ErrNoContact) {
		t.Errorf("open: %v", err)
	}
	if s.confirmation.file.exists() {
		t.Error("an absence is recorded")
	}
	if err := s.confirmation.file.save(&absence{left: s.now}); err != nil {
		t.Fatal(err)
	}
	s.all["dc1"] = noQuorum
	if err := s.open(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	s.wantReads(t, "dc1", gocql.EachQuorum)
}

// After the return a restart changes nothing: statements stay at the local nodes.
func TestRestartAfterReturn(t *testing.T) {
	s := restarted(t, continent{"dc1": serving, "dc2": serving, "dc3": serving})
	s.wantReads(t, "dc1", gocql.EachQuorum)
	again := travel(t, continent{"dc1": serving, "dc2": serving, "dc3": unreached})
	again.confirmation.file = s.confirmation.file
	if err := again.open(t.Context(), false); err != nil {
		t.Fatal(err)
	}
	again.wantReads(t, "dc1", gocql.EachQuorum)
}

// The routes to other datacenters stay open until reads are trusted alone, so that no statement in flight is cut
// off, and are closed then.
func TestRoutesAreClosed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := opened(t, continent{"dc1": unreached, "dc2": serving, "dc3": serving})
		s.all["dc2"] = noQuorum
		s.pass(20 * time.Second)
		if open := sortedKeys(s.others); !slices.Equal(open, []string{"dc2", "dc3"}) {
			t.Errorf("routes to %v are open", open)
		}
		s.all["dc1"], s.all["dc2"] = serving, serving
		s.pass(2 * time.Minute)
		s.wantReads(t, "dc1", gocql.EachQuorum)
		s.confirmation.file.remove()
		s.pass(2 * time.Second)
		s.wantReads(t, "dc1", gocql.LocalQuorum)
		if len(s.others) > 0 {
			t.Errorf("routes to %v are open", sortedKeys(s.others))
		}
	})
}

// deaf is a cluster whose nodes take connections and never answer.
type deaf struct{ tried *[]string }

func (d deaf) Open(ctx context.Context, o driver.Options) (driver.Session, error) {
	*d.tried = o.Hosts
	<-ctx.Done()
	return nil, ctx.Err()
}

// A datacenter with a hundred nodes that do not answer costs 15 seconds. Each time other nodes are tried.
func TestOpeningEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := travel(t, continent{"dc1": serving})
		nodes := map[string][]string{}
		for i := range 100 {
			nodes["dc2"] = append(nodes["dc2"], fmt.Sprintf("10.2.0.%d:9042", i))
		}
		s.peers.set(nodes, s.now)
		var tried []string
		s.link.cfg.Cluster = deaf{&tried}
		seen := map[string]bool{}
		for range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
			began := time.Now()
			if _, err := s.link.open(ctx, "dc2"); err == nil || time.Since(began) > 15*time.Second {
				t.Fatalf("%v after %v", err, time.Since(began))
			}
			cancel()
			if len(tried) > mostContacts+len(s.cfg.Hosts) {
				t.Fatalf("%d nodes are tried", len(tried))
			}
			for _, host := range tried {
				seen[host] = true
			}
		}
		if len(seen) < 5*mostContacts {
			t.Errorf("%d nodes were tried in all", len(seen))
		}
	})
}
