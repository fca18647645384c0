package cassandratest

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// saved is the form of a cluster for other processes, in cluster.json.
type saved struct {
	Version string
	Network int
	Nodes   []savedNode
	Linked  []string // the datacenters of a link
	Cut     [][2]int
}

type savedNode struct {
	Name, Datacenter, Rack, Address, Java string
	Args                                  []string
	PID                                   int
}

const stateFile = "cluster.json"

// Save writes into the cluster's folder the facts that Load needs. Detached nodes are saved at
// their start.
func (c *Cluster) Save() error {
	c.saving.Lock()
	defer c.saving.Unlock()
	s := saved{Version: c.Version, Network: c.Network}
	for _, n := range c.Nodes {
		n.mu.Lock()
		s.Nodes = append(s.Nodes, savedNode{n.Name, n.Datacenter, n.Rack, n.Address, n.java, n.args, n.pid})
		n.mu.Unlock()
	}
	if c.link != nil {
		s.Linked = c.link.datacenters
		c.link.mu.Lock()
		for pair, cut := range c.link.cut {
			if cut {
				s.Cut = append(s.Cut, pair)
			}
		}
		c.link.mu.Unlock()
	}
	text, err := json.MarshalIndent(s, "", " ")
	if err == nil {
		err = os.WriteFile(filepath.Join(c.Dir, stateFile+".new"), text, 0o644)
	}
	if err == nil {
		err = os.Rename(filepath.Join(c.Dir, stateFile+".new"), filepath.Join(c.Dir, stateFile))
	}
	if err != nil {
		return fmt.Errorf("cassandratest: %w", err)
	}
	return nil
}

// ErrNoCluster: a folder has no cluster.
var ErrNoCluster = errors.New("cassandratest: no cluster was started here")

// Load returns a detached cluster that an earlier process started and saved in a folder.
func Load(dir string) (*Cluster, error) {
	text, err := os.ReadFile(filepath.Join(dir, stateFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil, fmt.Errorf("%w: %s", ErrNoCluster, dir)
	}
	var s saved
	if err == nil {
		err = json.Unmarshal(text, &s)
	}
	if err != nil {
		return nil, fmt.Errorf("cassandratest: %w", err)
	}
	c := &Cluster{Dir: dir, Version: s.Version, Network: s.Network}
	if len(s.Linked) > 0 {
		c.link = &link{network: s.Network, datacenters: s.Linked, cut: map[[2]int]bool{}}
		for _, pair := range s.Cut {
			c.link.cut[pair] = true
		}
	}
	for _, n := range s.Nodes {
		c.Nodes = append(c.Nodes, &Node{
			Name: n.Name, Datacenter: n.Datacenter, Rack: n.Rack, Address: n.Address,
			dir: filepath.Join(dir, n.Name), java: n.Java, args: n.Args, pid: n.PID,
			detached: true, started: c.Save,
		})
	}
	return c, nil
}
