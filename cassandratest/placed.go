package cassandratest

import (
	"context"
	"fmt"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// waitPlaced waits until every running seed, which is the first node of its datacenter, knows the tokens of all running
// nodes. A node that starts before may choose the tokens of another node, and then Cassandra ignores one of the two.
func (c *Cluster) waitPlaced(ctx context.Context) error {
	for i, seed := range c.Nodes {
		if i > 0 && c.Nodes[i-1].Datacenter == seed.Datacenter || !seed.Running() {
			continue
		}
		if err := c.waitPlacedAt(ctx, seed); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cluster) waitPlacedAt(ctx context.Context, seed *Node) error {
	s, err := seed.Session(sessionLimit)
	if err != nil {
		return fmt.Errorf("cassandratest: connect to node %s: %w", seed.Name, err)
	}
	defer s.Close()
	return until(ctx, func() error { return c.placed(ctx, seed, s) })
}

// placed returns an error that names a running node whose tokens a seed does not know.
func (c *Cluster) placed(ctx context.Context, seed *Node, s *gocql.Session) error {
	peers, err := peersOf(ctx, s)
	if err != nil {
		return fmt.Errorf("cassandratest: ask node %s for its peers: %w", seed.Name, err)
	}
	for _, n := range c.Nodes {
		if n != seed && n.Running() && len(peers[n.Address].tokens) == 0 {
			return fmt.Errorf("cassandratest: node %s does not know the tokens of %s", seed.Name, n.Name)
		}
	}
	return nil
}
