package cassandra

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/store/cassandra/driver"
)

// watched holds a nodeWatch with the clock and the log of a test.
type watched struct {
	*nodeWatch
	t   *testing.T
	log bytes.Buffer
	now time.Time
}

func watchNodes(t *testing.T, level slog.Level) *watched {
	w := &watched{t: t, now: time.Unix(1_800_000_000, 0)}
	logger := slog.New(slog.NewTextHandler(&w.log, &slog.HandlerOptions{Level: level}))
	counts := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "nodes"}, []string{"datacenter", "state"})
	w.nodeWatch = newNodeWatch(Config{Logger: logger, DownReminder: 5 * time.Minute}, counts)
	return w
}

// are sets the state of nodes of datacenter dc1. The host id of a node equals its address.
func (w *watched) are(up bool, addresses ...string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, address := range addresses {
		w.setLocked(address, address, "dc1", up, "", w.now)
	}
}

// nodeList is a session that lists nodes.
type nodeList struct {
	driver.Session
	list []driver.Node
}

// Nodes implements driver.Session.
func (l *nodeList) Nodes() []driver.Node { return l.list }

// Closed implements driver.Session.
func (l *nodeList) Closed() bool { return false }

// look lets the driver list the nodes of datacenter dc1, by host id and address; a node is down if its
// address ends with a question mark.
func (w *watched) look(nodes ...string) {
	l := &nodeList{}
	for _, n := range nodes {
		id, address, _ := strings.Cut(n, " ")
		address, down := strings.CutSuffix(address, "?")
		l.list = append(l.list, driver.Node{ID: id, Address: address, Datacenter: "dc1", Up: !down})
	}
	w.sessions = []watchedSession{{l, "dc1"}}
	w.lookAtSessions(w.now)
}

// after advances the clock, reports, and checks the number of new lines in the log, and that the last
// line has the texts.
func (w *watched) after(d time.Duration, lines int, texts ...string) {
	w.t.Helper()
	w.now = w.now.Add(d)
	w.report(w.now)
	got := strings.TrimSpace(w.log.String())
	w.log.Reset()
	logged := strings.Split(got, "\n")
	if got == "" {
		logged = nil
	}
	if len(logged) != lines {
		w.t.Errorf("%d lines instead of %d:\n%s", len(logged), lines, got)
		return
	}
	for _, text := range texts {
		if !strings.Contains(logged[len(logged)-1], text) {
			w.t.Errorf("no %q in %s", text, got)
		}
	}
}

// count checks the metric.
func (w *watched) count(datacenter string, up, down float64) {
	w.t.Helper()
	registry := prometheus.NewRegistry()
	registry.MustRegister(w.counts)
	families, err := registry.Gather()
	if err != nil {
		w.t.Fatal(err)
	}
	got := map[string]float64{}
	for _, m := range families[0].GetMetric() {
		got[m.GetLabel()[0].GetValue()+" "+m.GetLabel()[1].GetValue()] = m.GetGauge().GetValue()
	}
	if got[datacenter+" up"] != up || got[datacenter+" down"] != down {
		w.t.Errorf("counted: %v, want %v up and %v down in %s", got, up, down, datacenter)
	}
}

// The log has a line when a node goes, a line every few minutes while the node is away, and a line
// when it is back.
func TestNodeGoesAndComesBack(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.are(true, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	w.after(time.Second, 0)
	w.count("dc1", 3, 0)
	w.are(false, "10.0.0.2")
	w.noteCause("10.0.0.2", "connection refused")
	w.after(time.Second, 1, "level=WARN", "do not answer", "datacenter=dc1", "nodes=10.0.0.2", "up=2", "down=1", "connection refused")
	w.count("dc1", 2, 1)
	for range 20 { // the driver repeats the event
		w.are(false, "10.0.0.2")
		w.after(10*time.Second, 0)
	}
	w.after(100*time.Second, 1, "level=WARN", "still do not answer", "nodes=10.0.0.2", "for=5m1s", "connection refused")
	w.after(299*time.Second, 0)
	w.after(time.Second, 1, "still do not answer", "for=10m1s")
	w.are(true, "10.0.0.2")
	w.after(time.Second, 1, "level=INFO", "nodes are back", "nodes=10.0.0.2", "up=3", "down=0", "away=10m0s")
	w.count("dc1", 3, 0)
	w.after(time.Hour, 0)
}

// A datacenter that goes has a single line in the log, and so have its reminders and its return.
func TestDatacenterGoesAndComesBack(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.are(true, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	w.takeGossip([]driver.Node{{ID: "far", Address: "10.9.0.1", Datacenter: "dc2", Up: true}}, w.now)
	w.after(time.Second, 0)
	w.are(false, "10.0.0.1", "10.0.0.2", "10.0.0.3")
	w.after(time.Second, 1, "no Cassandra node of a datacenter answers", `nodes="10.0.0.1 10.0.0.2 10.0.0.3"`, "up=0", "down=3")
	w.count("dc2", 1, 0)
	w.after(time.Minute, 0)
	w.after(4*time.Minute, 1, "still do not answer")
	w.are(true, "10.0.0.1")
	w.after(time.Second, 1, "are back", "nodes=10.0.0.1", "up=1", "down=2")
	w.after(299*time.Second, 1, "still do not answer", `nodes="10.0.0.2 10.0.0.3"`)
}

// A node that comes and goes every second has at most one line in ten seconds.
func TestNodeFlaps(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.are(true, "10.0.0.1")
	w.after(0, 0)
	w.are(false, "10.0.0.1")
	w.after(time.Second, 1)
	for i := range 9 {
		w.are(i%2 == 0, "10.0.0.1")
		w.after(time.Second, 0)
	}
	w.are(true, "10.0.0.1")
	w.after(time.Second, 1, "are back")
}

// A node that has left the cluster is no longer counted.
func TestNodeLeaves(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.look("a 10.0.0.1", "b 10.0.0.2")
	w.look("a 10.0.0.1", "b 10.0.0.2?")
	w.after(time.Second, 1)
	w.look("a 10.0.0.1", "c 10.0.0.3")
	w.after(time.Second, 1, "level=INFO", "has left the cluster", "datacenter=dc1", "node=10.0.0.2")
	w.after(time.Hour, 0)
	w.count("dc1", 2, 0)
	w.look("c 10.0.0.3")
	w.after(time.Second, 0)
	w.count("dc1", 1, 0)
	w.look() // the driver lists nothing while its control connection is made again
	w.after(time.Second, 0)
	w.count("dc1", 1, 0)
}

// A node that comes back under another address has one line when it goes, and one line when it is back.
func TestNodeMoves(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.look("a 10.0.0.1", "b 10.0.0.2")
	w.look("a 10.0.0.1", "b 10.0.0.2?")
	w.after(time.Second, 1, "do not answer", "nodes=10.0.0.2")
	w.now = w.now.Add(time.Minute)
	w.look("a 10.0.0.1", "b 10.0.0.9?")
	w.after(time.Second, 0)
	w.look("a 10.0.0.1", "b 10.0.0.9")
	w.after(time.Second, 1, "level=INFO", "nodes are back", "nodes=10.0.0.9", "up=2", "down=0", `moved="10.0.0.2 is now 10.0.0.9"`)
	w.count("dc1", 2, 0)
	w.look("a 10.0.0.1", "b 10.0.0.9?")
	w.after(time.Minute, 1, "do not answer", "nodes=10.0.0.9")
	w.look("a 10.0.0.1", "b 10.0.0.9")
	w.after(time.Minute, 1, "nodes are back")
	if text := w.nodes["b"].before; text != "" {
		t.Errorf("the node was at %s", text)
	}
}

// A new node at the address of a lost node brings the line that the node is back.
func TestNodeIsReplaced(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.look("a 10.0.0.1", "b 10.0.0.2?")
	w.after(time.Second, 1, "do not answer")
	w.now = w.now.Add(time.Minute)
	w.look("a 10.0.0.1", "c 10.0.0.2")
	w.after(time.Second, 1, "nodes are back", "nodes=10.0.0.2", "up=2")
}

// Nodes of a datacenter without a session come, move and leave with gossip.
func TestGossipedNodeMoves(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	far := func(up bool, id, address string) {
		w.takeGossip([]driver.Node{{ID: id, Address: address, Datacenter: "dc2", Up: up}}, w.now)
	}
	far(true, "a", "10.9.0.1")
	w.after(time.Second, 0)
	far(false, "a", "10.9.0.1")
	w.after(time.Second, 1, "no Cassandra node of a datacenter answers", "datacenter=dc2")
	w.now = w.now.Add(time.Minute)
	far(true, "a", "10.9.0.7")
	w.after(time.Second, 1, "nodes are back", "nodes=10.9.0.7", "moved=")
	w.count("dc2", 1, 0)
	w.takeGossip([]driver.Node{{ID: "b", Address: "10.7.0.1", Datacenter: "dc3", Up: true}}, w.now)
	w.after(time.Second, 0)
	w.count("dc2", 0, 0)
	w.count("dc3", 1, 0)
}

// Nodes of other datacenters are alive as long as their heartbeat advances.
func TestGossip(t *testing.T) {
	var g gossip
	now := time.Unix(1_800_000_000, 0)
	for i, c := range []struct {
		beat nodeBeat
		want bool
	}{
		{nodeBeat{7, 100}, true}, {nodeBeat{7, 110}, true},
		{nodeBeat{7, 110}, true}, {nodeBeat{7, 110}, true}, // heartbeats may be late
		{nodeBeat{7, 110}, false},
		{nodeBeat{7, 105}, false}, // the view of a node that heard late
		{nodeBeat{8, 1}, true},    // restarted
		{nodeBeat{}, true}, {nodeBeat{}, true}, {nodeBeat{}, false},
	} {
		if got := g.hear("n", c.beat, now, 30*time.Second); got != c.want {
			t.Errorf("%d: %v is alive: %v", i, c.beat, got)
		}
		now = now.Add(10 * time.Second)
	}
}

// Warnings of the driver while a node is away are logged at level debug, with their cause; other
// warnings are logged once per kind.
func TestDriverLog(t *testing.T) {
	w := watchNodes(t, slog.LevelInfo)
	w.are(true, "10.0.0.1")
	l := newDriverLogger(Config{Logger: w.logger, nodes: w.nodeWatch})
	for range 100 {
		l.Warning("Connection pool filling failed.", gocql.NewLogFieldIP("host_addr", net.ParseIP("10.0.0.1")), gocql.NewLogFieldError("err", errors.New("refused")))
		l.Warning("Node is DOWN.", gocql.NewLogFieldIP("host_addr", net.ParseIP("10.0.0.1")))
		l.Error("Unable to reconnect control connection.", gocql.NewLogFieldError("err", errors.New("gone")))
	}
	w.after(0, 0)
	if cause := w.nodes["10.0.0.1"].cause; cause != "refused" {
		t.Errorf("the cause is %q", cause)
	}
	for i := range 100 {
		l.Warning("Something new.", gocql.NewLogFieldString("n", fmt.Sprint(i)))
	}
	w.after(0, 1, "Something new.", "n=0", "level=WARN")

	loud := watchNodes(t, slog.LevelDebug)
	l = newDriverLogger(Config{Logger: loud.logger, nodes: loud.nodeWatch})
	l.Warning("Node is DOWN.", gocql.NewLogFieldIP("host_addr", net.ParseIP("10.0.0.1")))
	loud.after(0, 1, "level=DEBUG", "Node is DOWN.")
}
