package cassandratest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Addresses of moved nodes: M in 127.K.N.M.
const (
	firstMoved = 101
	lastMoved  = 254
)

// Move gives a node that does not run another address of its datacenter, from its next start on. Its data and
// its host id stay. The settings of all nodes name the new address if the node is a seed. Move changes
// Node.Address: no further method of the cluster may run at the same time.
func (c *Cluster) Move(n *Node) error {
	if n.Running() {
		return fmt.Errorf("cassandratest: node %s is running: only a killed node can move", n.Name)
	}
	if c.link != nil {
		return fmt.Errorf("cassandratest: node %s cannot move: its datacenter is behind a link", n.Name)
	}
	address, err := c.moved(n)
	if err != nil {
		return err
	}
	if err := n.ChangeSettings(map[string]string{"listen_address": address, "rpc_address": address}); err != nil {
		return err
	}
	n.Address = address
	seeds := map[string]string{"seed_provider": seedProvider(strings.Join(c.seeds(), ","))}
	var errs []error
	for _, other := range c.Nodes {
		errs = append(errs, other.ChangeSettings(seeds))
	}
	return errors.Join(append(errs, c.saveIfDetached(n))...)
}

// moved returns an unused address for a node.
func (c *Cluster) moved(n *Node) (string, error) {
	network := n.Address[:strings.LastIndex(n.Address, ".")+1]
	for c.moves = max(c.moves, firstMoved); c.moves <= lastMoved; {
		address := fmt.Sprint(network, c.moves)
		c.moves++
		if !slices.ContainsFunc(c.Nodes, func(n *Node) bool { return n.Address == address }) {
			return address, nil
		}
	}
	return "", fmt.Errorf("cassandratest: node %s cannot move: no address is left", n.Name)
}

// seeds returns the address of the first node of each datacenter.
func (c *Cluster) seeds() (list []string) {
	datacenter := ""
	for _, n := range c.Nodes {
		if n.Datacenter != datacenter {
			list = append(list, n.Address)
		}
		datacenter = n.Datacenter
	}
	return list
}
