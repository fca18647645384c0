package cassandra

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// A file in the spool folder holds the addresses of all nodes, their generations, and when a local node answered last.
// A server that starts while the local nodes are away reads the file:
//
//	known-nodes    seen 2026-11-25T20:15:00Z
//	               node 10.1.0.1:9042 dc1
//	               node 10.2.0.1:9042 dc2
//	               started 10.2.0.1 1764100800 dc2

// peerNodesFile is the name of the file.
const peerNodesFile = "known-nodes"

// learnEvery is the interval between questions to a local node for the addresses of all nodes.
const learnEvery = time.Minute

// peerNodes holds the addresses at which the nodes of all datacenters were last seen. While the local
// nodes are away no node can be asked for them. Safe for concurrent use.
type peerNodes struct {
	path       string
	complaints *complaints

	mu      sync.Mutex
	nodes   map[string][]string // addresses by datacenter
	seen    time.Time           // when a local node answered last, as far as the file tells
	started starts              // a set value is not changed any more
}

// newPeerNodes reads the file that an earlier process left. Without a file nothing is known.
func newPeerNodes(cfg Config, complaints *complaints) *peerNodes {
	p := &peerNodes{path: cfg.spoolPath(peerNodesFile), complaints: complaints}
	if text, err := os.ReadFile(p.path); err == nil {
		p.parse(string(text))
	}
	return p
}

func (p *peerNodes) set(nodes map[string][]string, seen time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.nodes, p.seen = nodes, seen
}

// setStarts sets the generations of the nodes.
func (p *peerNodes) setStarts(started starts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.started = started
}

// starts returns the generations of the nodes as last known.
func (p *peerNodes) starts() starts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.started
}

// of lists the contact points of a datacenter: some of its nodes, mostContacts at most, then the configured ones. The
// driver tries one after the other: the next call returns other nodes.
func (p *peerNodes) of(datacenter string, configured []string) []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	list := slices.Clone(p.nodes[datacenter])
	shuffle(list)
	list = list[:min(len(list), mostContacts)]
	for _, host := range configured {
		if !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

// lastSeen returns when a local node answered last; zero if unknown.
func (p *peerNodes) lastSeen() time.Time {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.seen
}

// text returns the contents of the file.
func (p *peerNodes) text() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "seen %s\n", p.seen.UTC().Format(time.RFC3339Nano))
	for _, datacenter := range sortedKeys(p.nodes) {
		for _, address := range p.nodes[datacenter] {
			fmt.Fprintf(&b, "node %s %s\n", address, datacenter)
		}
	}
	b.WriteString(p.started.text())
	return b.String()
}

// parse undoes text. Lines of another form are ignored.
func (p *peerNodes) parse(text string) {
	nodes, seen, started := map[string][]string{}, time.Time{}, starts(nil)
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "seen":
			seen, _ = time.Parse(time.RFC3339Nano, value)
		case "started":
			started.add(value)
		case "node":
			if address, datacenter, ok := strings.Cut(value, " "); ok {
				nodes[datacenter] = append(nodes[datacenter], address)
			}
		}
	}
	p.set(nodes, seen)
	p.setStarts(started)
}

// save writes the file.
func (p *peerNodes) save() {
	if err := writeDurably(p.path, p.text()); err != nil {
		p.complaints.warn("a restart while the local nodes are away would not find the other datacenter", "cause", err)
	}
}
