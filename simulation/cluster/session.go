package cluster

import (
	"context"
	"fmt"
	"maps"
	"net"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

func sortedNames[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }

// Server is a place in the network from which sessions are opened. It implements driver.Cluster.
type Server struct {
	peer
	cluster *Cluster
	timeout time.Duration
}

var (
	_ driver.Cluster = (*Server)(nil)
	_ driver.Session = (*session)(nil)
	_ driver.Rows    = (*rows)(nil)
)

// Server returns a place in a datacenter from which sessions are opened. The name tells lines to it apart, see
// Cut. timeout is the wait for the answer of a node; zero: Config.ClientTimeout.
func (c *Cluster) Server(name, datacenter string, timeout time.Duration) *Server {
	if timeout == 0 {
		timeout = c.config.ClientTimeout
	}
	return &Server{peer: peer{name: name, datacenter: datacenter}, cluster: c, timeout: timeout}
}

// session is a session of a server.
type session struct {
	server  *Server
	cluster *Cluster
	options driver.Options
	nodes   []*node // that the session leads to
	links   map[*node]*link
	closed  bool
}

// link is the connection of a session to a node.
type link struct {
	hears bool
	since int64
	wait  time.Duration // until up follows hears
	was   bool
}

func (l *link) up(now int64) bool {
	if now-l.since >= int64(l.wait) {
		return l.hears
	}
	return l.was
}

// Open implements driver.Cluster.
func (v *Server) Open(ctx context.Context, o driver.Options) (driver.Session, error) {
	c := v.cluster
	var failed error
	for _, host := range o.Hosts {
		c.awaitTurn(v.name, &driver.Statement{CQL: "open", Values: []any{host, o.Datacenter}})
		n, wait, err := v.contact(host)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
		if err == nil {
			var s *session
			if s, err = v.open(o, n); err == nil {
				return s, nil
			}
		}
		if failed == nil {
			failed = err
		}
	}
	if failed == nil {
		failed = gocql.ErrNoHosts
	}
	c.lock()
	defer c.mu.Unlock()
	return nil, fmt.Errorf("gocql: unable to create session: %w", failed)
}

// contact returns the node of a contact point, and the time until the outcome of connecting is known.
func (v *Server) contact(host string) (n *node, wait time.Duration, err error) {
	c := v.cluster
	c.lock()
	defer c.mu.Unlock()
	if address, _, err := net.SplitHostPort(host); err == nil {
		host = address
	}
	for _, o := range c.nodes {
		if o.address == host || o.name == host {
			n = o
		}
	}
	if n == nil {
		return nil, 0, fmt.Errorf("no node has the address %s", host)
	}
	wait = 2 * (c.latency(&v.peer, &n.peer) + c.latency(&n.peer, &v.peer))
	switch {
	case !c.linked(&v.peer, &n.peer), n.running && n.paused:
		return n, v.timeout, gocql.ErrTimeoutNoResponse
	case !n.running:
		return n, wait, fmt.Errorf("dial tcp %s:9042: connection refused", n.address)
	}
	return n, wait, nil
}

func sleep(ctx context.Context, wait time.Duration) error {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// open makes a session after a contact point has answered.
func (v *Server) open(o driver.Options, contact *node) (*session, error) {
	c := v.cluster
	c.lock()
	defer c.mu.Unlock()
	s := &session{server: v, cluster: c, options: o, links: map[*node]*link{}}
	for _, n := range c.nodes {
		if n.removed {
			continue
		}
		if o.Datacenter == "" && n == contact || o.Datacenter != "" && n.datacenter == o.Datacenter {
			s.nodes = append(s.nodes, n)
		}
	}
	reached := false
	for _, n := range s.nodes {
		hears := s.reaches(n)
		s.links[n] = &link{hears: hears, since: c.now(), was: hears}
		reached = reached || hears
	}
	if !reached {
		return nil, gocql.ErrNoConnectionsStarted
	}
	c.sessions[s] = struct{}{}
	return s, nil
}

func (s *session) reaches(n *node) bool {
	return n.ready() && s.cluster.linked(&s.server.peer, &n.peer)
}

// look brings the connections up to date after a change of nodes or lines. The end of a process is seen at once,
// silence later.
func (s *session) look() {
	c := s.cluster
	now := c.now()
	for _, n := range s.nodes {
		l := s.links[n]
		hears := s.reaches(n)
		refused := !n.running && c.linked(&s.server.peer, &n.peer)
		if hears == l.hears && !refused {
			continue
		}
		l.was = l.up(now)
		if hears != l.hears {
			l.hears, l.since = hears, now
		}
		switch {
		case hears:
			l.wait = c.config.ReturnAfter
		case refused:
			l.wait = 0
		default:
			l.wait = c.config.LeaveAfter
		}
	}
}

// Nodes implements driver.Session.
func (s *session) Nodes() []driver.Node {
	c := s.cluster
	c.lock()
	defer c.mu.Unlock()
	list := make([]driver.Node, 0, len(c.nodes))
	for _, n := range c.nodes {
		if n.removed || s.options.Datacenter == "" && s.links[n] == nil {
			continue
		}
		l := s.links[n]
		list = append(list, driver.Node{
			ID: n.idText, Address: n.address, Internal: n.address, Datacenter: n.datacenter,
			Up: !s.closed && l != nil && l.up(c.now()),
		})
	}
	return list
}

// Close implements driver.Session.
func (s *session) Close() {
	s.cluster.lock()
	defer s.cluster.mu.Unlock()
	s.end()
}

// end closes the session. The lock is held.
func (s *session) end() {
	if s.closed {
		return
	}
	s.closed = true
	delete(s.cluster.sessions, s)
	for _, n := range s.nodes {
		for _, r := range n.requests.all() {
			if r.session == s {
				r.finish(result{}, gocql.ErrSessionClosed)
			}
		}
	}
}

// Closed implements driver.Session.
func (s *session) Closed() bool {
	s.cluster.mu.Lock()
	defer s.cluster.mu.Unlock()
	return s.closed
}
