package simulation

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"popelago/event"
)

// Kind is a kind of fault.
type Kind string

// The kinds of faults. A fault ends after its length.
const (
	NodeCrash      Kind = "node crashes"
	NodeLosesLog   Kind = "node crashes and loses the end of its commit log"
	NodePause      Kind = "node stands still"
	NodeSlow       Kind = "node is slow"
	NodeCut        Kind = "node is cut off from all others"
	NodeAlone      Kind = "node is cut off from all other nodes, and servers reach it"
	NodeDiesAlone  Kind = "node is cut off from all other nodes, servers reach it, and then it is replaced by an empty node"
	NodeClock      Kind = "clock of a node is wrong"
	NodeReplace    Kind = "node is replaced by an empty node"
	NodeCompact    Kind = "node compacts"
	LinesCut       Kind = "line between two datacenters is cut"
	LinesCutOneWay Kind = "line between two datacenters is cut in one direction"
	DatacenterDown Kind = "all nodes of a datacenter crash"
	ServerKill     Kind = "server is killed"
	ServerCut      Kind = "server is cut off from the nodes of its datacenter"
	ServerClock    Kind = "clock of a server is wrong"
	// ServerSuspended: the machine of a server stands still. Its clock is behind when it wakes up, until somebody
	// corrects the clock.
	ServerSuspended Kind = "server is suspended"
	DatacenterLost  Kind = "datacenter is lost for good, and built again"
)

// Fault is a fault of a run.
type Fault struct {
	Kind Kind
	// At is the moment since the start of the clients, For the length.
	At, For time.Duration
	// A and B are numbers of nodes, datacenters or servers, as Kind asks for.
	A, B int
	// Factor is how much slower a node is; By is how wrong a clock is, or for how long a clock stays behind.
	Factor float64
	By     time.Duration
}

func (f Fault) String() string {
	s := fmt.Sprintf("%s (%d", f.Kind, f.A)
	if f.Kind == LinesCut || f.Kind == LinesCutOneWay {
		s += fmt.Sprintf(", %d", f.B)
	}
	s += fmt.Sprintf(") at %v for %v", f.At.Round(time.Second), f.For.Round(time.Second))
	if f.By != 0 {
		s += fmt.Sprintf(" by %v", f.By.Round(time.Second))
	}
	if f.Factor != 0 {
		s += fmt.Sprintf(" %.0f times", f.Factor)
	}
	return s
}

// Draw draws faults for a configuration, one every pause on average.
func Draw(cfg Config, every time.Duration, kinds ...Kind) []Fault {
	r := rand.New(rand.NewPCG(cfg.Seed, 77))
	nodes, servers := cfg.Datacenters*cfg.Nodes, cfg.Datacenters*cfg.Servers
	var all []Fault
	for at := draw(r, every); at < cfg.Length; at += draw(r, every) {
		f := Fault{Kind: kinds[r.IntN(len(kinds))], At: at, For: draw(r, 10*time.Minute)}
		if r.IntN(6) == 0 {
			f.For = draw(r, 4*time.Hour) // longer than hints are kept
		}
		switch f.Kind {
		case LinesCut, LinesCutOneWay:
			if cfg.Datacenters < 2 {
				continue
			}
			f.A = r.IntN(cfg.Datacenters)
			f.B = (f.A + 1 + r.IntN(cfg.Datacenters-1)) % cfg.Datacenters
		case DatacenterDown, DatacenterLost:
			f.A = r.IntN(cfg.Datacenters)
		case ServerKill, ServerCut, ServerClock, ServerSuspended:
			f.A = r.IntN(servers)
		default:
			f.A = r.IntN(nodes)
		}
		switch f.Kind {
		case NodeSlow:
			f.Factor = float64(int(2) << r.IntN(10))
		case NodeClock, ServerClock:
			f.By = time.Duration(r.NormFloat64() * float64(10*time.Minute))
			if r.IntN(4) == 0 {
				f.By = time.Duration(r.NormFloat64() * float64(100*24*time.Hour))
			}
		}
		all = append(all, f)
	}
	return all
}

// inject lets the faults happen, each in its own time. The function returned ends all faults, and waits until
// every node and every server is back.
func (w *World) inject(ctx context.Context, faults []Fault) (end func()) {
	ctx, cancel := context.WithCancel(ctx)
	var going sync.WaitGroup
	start := time.Now()
	for i, f := range faults {
		going.Go(func() {
			at := f.At + time.Duration(i)*time.Microsecond // no two at the same moment
			if !event.Pause(ctx, at-time.Since(start)) {
				return
			}
			w.story.add("FAULT %v", f)
			w.faults.Add(1)
			defer func() {
				w.ended.Store(time.Now().UnixNano())
				w.faults.Add(-1)
			}()
			undo := w.begin(ctx, f)
			event.Pause(ctx, f.For)
			w.story.add("ends: %v", f)
			undo()
		})
	}
	return func() {
		cancel()
		going.Wait()
	}
}

// begin begins a fault, and returns what ends it.
func (w *World) begin(ctx context.Context, f Fault) (undo func()) {
	c := w.cluster
	switch f.Kind {
	case LinesCut:
		return w.cut(datacenter(f.A), datacenter(f.B))
	case LinesCutOneWay:
		c.CutOneWay(datacenter(f.A), datacenter(f.B))
		return func() { c.Heal(datacenter(f.A), datacenter(f.B)) }
	case DatacenterDown:
		nodes := c.of(datacenter(f.A))
		for _, n := range nodes {
			c.Crash(n, true)
		}
		return func() {
			for _, n := range nodes {
				c.Restart(n)
			}
		}
	case DatacenterLost:
		return w.loseDatacenter(ctx, datacenter(f.A))
	case ServerKill, ServerCut, ServerClock, ServerSuspended:
		return w.beginAtServer(ctx, f, w.slots[f.A])
	}
	return w.beginAtNode(f, c.names[f.A])
}

// cut cuts two places off from each other.
func (w *World) cut(a, b string) (undo func()) {
	w.cluster.Cut(a, b)
	return func() { w.cluster.Heal(a, b) }
}

// beginAtServer begins a fault of a server.
func (w *World) beginAtServer(ctx context.Context, f Fault, s *slot) (undo func()) {
	switch f.Kind {
	case ServerKill:
		w.kill(s)
		return func() {
			if s.process() == nil {
				_ = w.revive(context.WithoutCancel(ctx), s)
			}
		}
	case ServerCut:
		return w.cut(s.cfg.name, s.cfg.datacenter)
	case ServerSuspended:
		return w.suspend(ctx, f, s)
	}
	s.cfg.clock.set(f.By)
	return func() { s.cfg.clock.set(0) }
}

// beginAtNode begins a fault of a node.
func (w *World) beginAtNode(f Fault, node string) (undo func()) {
	c := w.cluster
	switch f.Kind {
	case NodeCrash:
		c.Crash(node, true)
		return func() { c.Restart(node) }
	case NodeLosesLog:
		w.lose()
		c.Crash(node, false)
		return func() { c.Restart(node) }
	case NodePause:
		c.Pause(node)
		return func() { c.Resume(node) }
	case NodeSlow:
		c.Slow(node, f.Factor)
		return func() { c.Slow(node, 1) }
	case NodeCut:
		c.isolate(node)
		return func() { c.join(node) }
	case NodeAlone:
		c.alone(node, c.Cut)
		return func() { c.alone(node, c.Heal) }
	case NodeDiesAlone:
		c.alone(node, c.Cut)
		return func() {
			w.lose()
			c.Crash(node, true)
			c.alone(node, c.Heal)
			w.replace(node)
			c.Restart(node)
		}
	case NodeClock:
		c.SetClock(node, f.By, 1)
		return func() { c.SetClock(node, 0, 1) }
	case NodeCompact:
		c.Compact(node)
		return func() {}
	case NodeReplace:
		w.lose()
		w.replace(node)
		return func() { c.Restart(node) }
	}
	panic("unknown kind of fault: " + string(f.Kind))
}

// replace replaces a node by an empty node, and repairs, as docs/multi-datacenter.md says.
func (w *World) replace(node string) {
	err := w.cluster.Replace(node)
	w.story.add("%s is replaced: %v", node, short(err))
	_ = w.repair()
}

// without returns the faults except for some.
func without(all []Fault, from, to int) []Fault { return slices.Concat(all[:from], all[to:]) }
