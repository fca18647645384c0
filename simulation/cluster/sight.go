package cluster

// sight is how one node sees another: whether it can hear it, since when, and whether it took it for alive
// before.
type sight struct {
	hears bool
	since int64
	was   bool
	// heard is the heartbeat that was heard last, if hears is not set.
	heard int64
}

// sights holds how nodes see each other, by the numbers of both.
type sights struct {
	all   []*sight // nil: alive ever since
	nodes int
}

func (s *sights) of(a, b *node) *sight {
	if s.all == nil {
		return nil
	}
	return s.all[a.index*s.nodes+b.index]
}

// put keeps how a node sees another.
func (s *sights) put(a, b *node, one *sight, nodes int) {
	if s.all == nil {
		s.all, s.nodes = make([]*sight, nodes*nodes), nodes
	}
	s.all[a.index*s.nodes+b.index] = one
}

// alive reports whether a node takes another for alive.
func (c *Cluster) alive(a, b *node) bool {
	if a == b {
		return true
	}
	s := c.sights.of(a, b)
	return s == nil || s.alive(c)
}

func (s *sight) alive(c *Cluster) bool {
	wait := c.config.ConvictAfter
	if s.hears {
		wait = c.config.GreetAfter
	}
	if c.now()-s.since >= int64(wait) {
		return s.hears
	}
	return s.was
}

// look brings all sights up to date after a change of nodes or lines. Nodes gossip: a node hears every node
// that it is connected to, over others too. To take a silent node for alive again, it needs a line of its own.
func (c *Cluster) look() {
	group := c.groups()
	now := c.now()
	for _, a := range c.nodes {
		for _, b := range c.nodes {
			if a == b {
				continue
			}
			hears := a.ready() && b.ready() && group[a.index] == group[b.index]
			s := c.sights.of(a, b)
			if s == nil && hears {
				continue
			}
			if s == nil {
				s = &sight{hears: true, was: true}
				c.sights.put(a, b, s, len(c.nodes))
			}
			if hears && !s.hears && !c.linked(&a.peer, &b.peer) && !s.alive(c) {
				continue
			}
			if hears != s.hears {
				s.was = s.alive(c)
				if !hears {
					s.heard = b.beat()
				}
				s.hears, s.since = hears, now
			}
		}
	}
	for s := range c.sessions {
		s.look()
	}
}

// groups returns a number for each node: connected nodes have the same number.
func (c *Cluster) groups() []int {
	group := make([]int, len(c.nodes))
	for i := range group {
		group[i] = i
	}
	if len(c.cuts) == 0 {
		clear(group)
		return group
	}
	var find func(i int) int
	find = func(i int) int {
		if group[i] != i {
			group[i] = find(group[i])
		}
		return group[i]
	}
	for i, a := range c.nodes {
		for j, b := range c.nodes[:i] {
			if a.ready() && b.ready() && c.linked(&a.peer, &b.peer) {
				group[find(i)] = find(j)
			}
		}
	}
	for i := range group {
		find(i)
	}
	return group
}

// beat is the heartbeat of a node: the seconds since its start.
func (n *node) beat() int64 { return (n.cluster.now() - n.begun) / 1e9 }

// heartbeat returns the heartbeat of a node as another node knows it.
func (c *Cluster) heartbeat(a, b *node) int64 {
	if s := c.sights.of(a, b); s != nil && !s.hears {
		return s.heard
	}
	return b.beat()
}
