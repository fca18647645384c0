package cassandra

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// starts holds the generation of nodes, which Cassandra raises at each start of a node. A node that was killed has
// lost the hints that it had in memory, and a node that was replaced has taken all of its hints along.
type starts map[nodeName]int

// nodeName names a node by its address among the nodes.
type nodeName struct{ datacenter, address string }

func (n nodeName) String() string { return n.datacenter + " " + n.address }

// changed lists the nodes that were started, replaced or added since s, by the answer of whole datacenters.
func (s starts) changed(now starts) (nodes []string) {
	asked := map[string]bool{}
	for name, generation := range now {
		asked[name.datacenter] = true
		if before, known := s[name]; !known || generation != before {
			nodes = append(nodes, name.String())
		}
	}
	for name := range s {
		if _, found := now[name]; !found && asked[name.datacenter] {
			nodes = append(nodes, name.String())
		}
	}
	slices.Sort(nodes)
	return nodes
}

// text returns a line "started ADDRESS GENERATION DATACENTER" for each node.
func (s starts) text() string {
	lines := make([]string, 0, len(s))
	for name, generation := range s {
		lines = append(lines, fmt.Sprintf("started %s %d %s\n", name.address, generation, name.datacenter))
	}
	slices.Sort(lines)
	return strings.Join(lines, "")
}

// add undoes a line of text without its first word. A line of another form is ignored: its node then counts as
// started anew.
func (s *starts) add(line string) {
	address, rest, _ := strings.Cut(line, " ")
	number, datacenter, ok := strings.Cut(rest, " ")
	generation, err := strconv.Atoi(number)
	if !ok || err != nil {
		return
	}
	if *s == nil {
		*s = starts{}
	}
	(*s)[nodeName{datacenter, address}] = generation
}
