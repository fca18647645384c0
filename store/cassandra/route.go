package cassandra

import (
	"context"
	"crypto/rand"
	"fmt"
	mathrand "math/rand/v2"
	"net"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// probeTime is the time that a node has to answer a probe.
const probeTime = 2 * time.Second

// route is a session to the nodes of one datacenter.
type route struct {
	datacenter string
	session    driver.Session
}

// nodesOf lists the nodes of a datacenter that a session leads to. The driver also lists a contact
// point of another datacenter that it met first, and does not use it any more.
func nodesOf(session driver.Session, datacenter string) []driver.Node {
	return slices.DeleteFunc(session.Nodes(), func(n driver.Node) bool { return n.Datacenter != datacenter })
}

// nodes lists the nodes of a route.
func (r *route) nodes() []driver.Node { return nodesOf(r.session, r.datacenter) }

// answers reports whether any node of a route answers. Each node is asked separately, so that a
// hanging node does not delay the answer of another node.
func (r *route) answers(ctx context.Context) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	hosts := r.nodes()
	found := make(chan bool, len(hosts))
	for _, h := range hosts {
		go func() {
			var key string
			err := driver.ScanOne(ctx, r.session, driver.Statement{CQL: selectProbe, Consistency: gocql.One, Node: h.ID}, &key)
			found <- err == nil
		}()
	}
	for range hosts {
		if <-found {
			return true
		}
	}
	return false
}

// probeNames lists keys of the table schema_version, which need not have rows: each in another eighth of the ring. On a
// large cluster a few nodes take a part of all partitions along, so no single partition says whether a datacenter serves.
var probeNames = [...]string{"probe16", "probe3", "probe5", "probe19", "probe1", "probe2", "probe0", "probe4"}

// probes is the count of partitions that a probe reads.
const probes = len(probeNames)

// serves reports whether most of the route's datacenter can be read at a quorum.
func (r *route) serves(ctx context.Context, keyspace string) bool {
	return areMost(r.readable(ctx, keyspace, gocql.LocalQuorum))
}

// areMost reports whether so many partitions of a probe are a datacenter that serves.
func areMost(readable int) bool { return 2*readable >= probes }

// asMany reports whether a datacenter of which so many partitions can be read serves as much as another one. One
// partition less is no difference: a probe may be unlucky.
func asMany(readable, other int) bool { return areMost(readable) && readable+1 >= other }

// readable counts the partitions of a probe that can be read at a consistency: LOCAL_QUORUM, or EACH_QUORUM for a quorum of
// each datacenter, see confirmation.
func (r *route) readable(ctx context.Context, keyspace string, at gocql.Consistency) int {
	var n atomic.Int32
	atMost(probes, probes, func(i int) {
		if r.reads(ctx, keyspace, probeNames[i], at) {
			n.Add(1)
		}
	})
	return int(n.Load())
}

// probeNodes is the highest count of nodes that one call of reads asks, after failures of nodes. If a node is
// slow, another call asks as many further nodes.
const probeNodes = 3

// reads reports whether a partition can be read at a consistency. The failure of one node says nothing about the quorum.
func (r *route) reads(ctx context.Context, keyspace, name string, at gocql.Consistency) bool {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	first, second := driver.NewChoices()
	another := func(ctx context.Context, attempts int, err error) bool {
		return attempts < probeNodes && !hopeless(err) && ctx.Err() == nil
	}
	_, err := hedged(ctx, probeTime/4, func() bool { return true }, func(ctx context.Context, again bool) (struct{}, error) {
		st := driver.Statement{CQL: fmt.Sprintf(selectVersions, keyspace), Values: []any{name}, Consistency: at, Retry: another, Choice: first}
		if again {
			st.Choice = second
		}
		return struct{}{}, driver.Exec(ctx, r.session, st)
	})
	return err == nil
}

// allNodes asks a node of the route for the addresses of all nodes, by datacenter, and for their generations.
func (r *route) allNodes(ctx context.Context) (nodes map[string][]string, started starts, err error) {
	ctx, cancel := context.WithTimeout(ctx, probeTime)
	defer cancel()
	beats, err := scanNodeBeats(ctx, r.session, unobserved(selectHeartbeats))
	if err != nil {
		beats = nil // the user may not read them
	}
	nodes, started = map[string][]string{}, starts{}
	var datacenter, address string
	var port int
	var internal net.IP
	err = driver.Each(ctx, r.session, driver.Statement{CQL: selectPeerAddresses, Consistency: gocql.One}, func() {
		nodes[datacenter] = append(nodes[datacenter], hostPort(address, port))
		if beat, ok := beats[internal.String()]; ok && datacenter != r.datacenter {
			started[nodeName{datacenter, internal.String()}] = beat.generation
		}
	}, &datacenter, &address, &port, &internal)
	return nodes, started, err
}

// hostPort returns a contact point. A port of zero is left out.
func hostPort(address string, port int) string {
	if port == 0 {
		return address
	}
	return net.JoinHostPort(address, strconv.Itoa(port))
}

// shuffle puts a list in a random order. The random numbers come from crypto/rand, which a test can fix.
func shuffle[T any](list []T) {
	var seed [32]byte
	rand.Read(seed[:])
	r := mathrand.New(mathrand.NewChaCha8(seed))
	r.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
}

// close closes the session; r may be nil.
func (r *route) close() {
	if r != nil {
		endSession(r.session)
	}
}

// clocks returns how far the clock wall is ahead of the clocks of some nodes of the route that are
// up, most of them at most.
func (r *route) clocks(ctx context.Context, most int, wall func() time.Time) []time.Duration {
	hosts := slices.DeleteFunc(r.nodes(), func(h driver.Node) bool { return !h.Up })
	shuffle(hosts)
	var mu sync.Mutex
	var list []time.Duration
	inParallel(min(len(hosts), most), func(i int) {
		asked, began := wall(), time.Now()
		var millis int64
		err := driver.ScanOne(ctx, r.session, driver.Statement{CQL: selectClock, Consistency: gocql.One, Node: hosts[i].ID}, &millis)
		took := time.Since(began)
		if err != nil || took > store.ClockWarning {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		list = append(list, asked.Add(took/2).Sub(time.UnixMilli(millis)))
	})
	return list
}
