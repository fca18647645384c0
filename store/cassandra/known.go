package cassandra

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

// Where the nodes of the cluster are, and when a local one answered for the last time, is kept in
// a file in the spool folder, for a server that starts while the local nodes are away:
//
//	known-nodes    seen 2026-11-25T20:15:00Z
//	               node 10.1.0.1:9042 dc1
//	               node 10.2.0.1:9042 dc2

// knownFile is the name of that file.
const knownFile = "known-nodes"

// learnEvery is how often it is asked where the nodes of the other datacenters are.
const learnEvery = time.Minute

// known is where the nodes of all datacenters were last seen: when the local ones are gone there
// is nobody to ask.
type known struct {
	mu    sync.Mutex
	nodes map[string][]string // addresses by datacenter
	seen  time.Time           // when a local node answered for the last time, as far as is kept
}

func (k *known) set(nodes map[string][]string, seen time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.nodes, k.seen = nodes, seen
}

// of is the contact points for a datacenter: its nodes, and what is configured.
func (k *known) of(datacenter string, configured []string) []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	list := slices.Clone(k.nodes[datacenter])
	for _, host := range configured {
		if !slices.Contains(list, host) {
			list = append(list, host)
		}
	}
	return list
}

// lastSeen is when a local node answered for the last time; zero: not known.
func (k *known) lastSeen() time.Time {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.seen
}

// text is what is known, as it is in the file.
func (k *known) text() string {
	k.mu.Lock()
	defer k.mu.Unlock()
	var b strings.Builder
	fmt.Fprintf(&b, "seen %s\n", k.seen.UTC().Format(time.RFC3339Nano))
	for _, datacenter := range sortedKeys(k.nodes) {
		for _, address := range k.nodes[datacenter] {
			fmt.Fprintf(&b, "node %s %s\n", address, datacenter)
		}
	}
	return b.String()
}

// parse undoes text. Lines of another form are left out.
func (k *known) parse(text string) {
	nodes, seen := map[string][]string{}, time.Time{}
	for line := range strings.Lines(text) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), " ")
		switch name {
		case "seen":
			seen, _ = time.Parse(time.RFC3339Nano, value)
		case "node":
			if address, datacenter, ok := strings.Cut(value, " "); ok {
				nodes[datacenter] = append(nodes[datacenter], address)
			}
		}
	}
	k.set(nodes, seen)
}

// recallNodes reads what a server before this one kept. Without it nothing is known, as at the
// very first start.
func (s *engine) recallNodes() {
	if text, err := os.ReadFile(s.spoolPath(knownFile)); err == nil {
		s.known.parse(string(text))
	}
}

// keepNodes writes what is known into the file.
func (s *engine) keepNodes() {
	err := writeDurably(s.spoolPath(knownFile), s.known.text())
	if err != nil {
		s.complain("a restart while the local nodes are away would not find the other datacenter", "cause", err)
	}
}
