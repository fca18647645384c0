package wire

import (
	"container/list"
	"log/slog"
	"net/netip"
	"time"

	"popelago/mail"
)

// crowd holds the connections that may be dropped when there are too many. Guarded by Server.mu.
type crowd struct {
	// strangers are the connections of clients that are not known, the oldest first.
	strangers list.List
	// networks holds the counted connections by mail.ClientNetwork, and regions by mail.ClientRegion.
	networks, regions networks
	// dropped counts the connections that were dropped and have not ended yet.
	dropped int
}

// networks are the networks of one width that have connections.
type networks struct {
	all map[netip.Prefix]*network
	// largest is the result of the last look at all networks, see largestNetwork.
	largest *network
	looked  time.Time
}

func newCrowd() crowd {
	return crowd{networks: networks{all: map[netip.Prefix]*network{}}, regions: networks{all: map[netip.Prefix]*network{}}}
}

// stranger is an element of crowd.strangers or of network.known.
type stranger struct {
	c     *Conn
	since time.Time // begin of the connection, or the last progress of a known client
}

// network holds the connections of a network.
type network struct {
	prefix netip.Prefix
	conns  int
	// known are elements of type stranger: the connections of clients that are known, the longest without progress
	// first. Empty without Config.DropKnownAfter.
	known list.List
}

// membership is the part of a connection in a network; zero without a network.
type membership struct {
	network *network
	known   *list.Element // of network.known while the client is known, and the connection may be dropped
}

// join counts a connection of a network. The zero prefix stands for no network.
func (n *networks) join(prefix netip.Prefix) membership {
	if !prefix.IsValid() {
		return membership{}
	}
	member := n.all[prefix]
	if member == nil {
		member = &network{prefix: prefix}
		n.all[prefix] = member
	}
	member.conns++
	return membership{network: member}
}

// leave counts the end of a connection.
func (n *networks) leave(m membership) {
	if m.network == nil {
		return
	}
	if m.network.conns--; m.network.conns == 0 {
		delete(n.all, m.network.prefix)
	}
}

// acquaint puts the connection behind the other connections of known clients.
func (m *membership) acquaint(c *Conn) {
	if m.network != nil {
		m.forget()
		m.known = m.network.known.PushBack(stranger{c, time.Now()})
	}
}

// forget excepts the connection from being dropped.
func (m *membership) forget() {
	if m.known != nil {
		m.network.known.Remove(m.known)
		m.known = nil
	}
}

// add notes a new connection. The connection of a counted client belongs to a network.
func (cr *crowd) add(c *Conn, counted bool) {
	c.stranger = cr.strangers.PushBack(stranger{c, time.Now()})
	if !counted {
		return
	}
	c.inNetwork = cr.networks.join(mail.ClientNetwork(c.remote))
	c.inRegion = cr.regions.join(mail.ClientRegion(c.remote))
}

// forget excepts a connection from being dropped.
func (cr *crowd) forget(c *Conn) {
	if c.stranger != nil {
		cr.strangers.Remove(c.stranger)
		c.stranger = nil
	}
	c.inNetwork.forget()
	c.inRegion.forget()
}

// acquaint notes that the client of a connection is known.
func (cr *crowd) acquaint(c *Conn, mayBeDropped bool) {
	if c.inNetwork.known != nil || c.dropped {
		return
	}
	cr.forget(c)
	if mayBeDropped {
		c.inNetwork.acquaint(c)
		c.inRegion.acquaint(c)
	}
}

// remove notes that a connection has ended.
func (cr *crowd) remove(c *Conn) {
	cr.forget(c)
	cr.networks.leave(c.inNetwork)
	cr.regions.leave(c.inRegion)
	if c.dropped {
		cr.dropped--
	}
}

// maxDropped limits the connections open beyond MaxConns: dropped connections, which take time to
// end. The limit is this part of MaxConns, and one connection more.
const maxDropped = 10

// makeRoomLocked drops the oldest connection of a client that is not known, or the connection of a known
// client, see Config.DropKnownAfter. It reports whether there was a connection to drop.
func (s *Server) makeRoomLocked(newcomer *Conn) bool {
	if s.crowd.dropped > s.cfg.MaxConns/maxDropped {
		return false
	}
	first := s.crowd.strangers.Front()
	if first == nil || s.cfg.DropAfter < 0 || time.Since(first.Value.(stranger).since) < s.cfg.DropAfter {
		return s.cfg.DropKnownAfter > 0 && s.dropKnownLocked(newcomer)
	}
	c := first.Value.(stranger).c
	// The log may be slow, and all connections wait for s.mu.
	go c.LogSummed(slog.LevelWarn, "connection dropped for a new connection: the client had not logged in", ErrTooManyConns)
	s.noteDroppedLocked(c)
	if !c.drop() {
		s.conns[c]() // cancels the command in progress
		c.abort()
	}
	return true
}

// noteDroppedLocked notes that c is dropped.
func (s *Server) noteDroppedLocked(c *Conn) {
	s.crowd.forget(c)
	c.dropped = true
	s.crowd.dropped++
	s.cfg.Metrics.dropped.WithLabelValues(s.cfg.Protocol, "crowded").Inc()
}

const (
	// lookPause is the least time between two looks at all networks: a look takes time, and all connections wait
	// for it.
	lookPause = 100 * time.Millisecond
	// maxLooked limits the clients of a network of which a look finds out whether the server waits for them.
	maxLooked = 100
)

// dropKnownLocked drops a known client of the network with the most known clients, if the network of the newcomer
// has fewer connections, with the newcomer. A provider with thousands of networks may have one connection in each: so the regions are
// compared next. It reports whether there was such a client.
func (s *Server) dropKnownLocked(newcomer *Conn) bool {
	return s.dropOfLocked(&s.crowd.networks, mail.ClientNetwork(newcomer.remote)) ||
		s.dropOfLocked(&s.crowd.regions, mail.ClientRegion(newcomer.remote))
}

// dropOfLocked is dropKnownLocked for the networks of one width.
func (s *Server) dropOfLocked(networks *networks, newcomers netip.Prefix) bool {
	own := 1
	if n := networks.all[newcomers]; n != nil {
		own = n.conns + 1
	}
	after := s.cfg.DropKnownAfter
	largest := networks.largestNetwork(after)
	if largest == nil || largest.known.Len() <= own {
		return false
	}
	e := largest.known.Front()
	for range maxLooked {
		if e == nil || time.Since(e.Value.(stranger).since) < after {
			break
		}
		c := e.Value.(stranger).c
		e = e.Next()
		if !c.dropAwaited() {
			continue
		}
		go c.LogSummed(slog.LevelWarn, "connection of a known client dropped for a new connection: its network has the most", ErrTooManyConns)
		s.noteDroppedLocked(c)
		return true
	}
	networks.largest = nil // until the next look
	return false
}

// largestNetwork returns the network with the most known clients among the networks with a client that may be dropped;
// nil: there is none. The result is lookPause old at most.
func (n *networks) largestNetwork(after time.Duration) *network {
	if time.Since(n.looked) < lookPause && (n.largest == nil || n.largest.mayDrop(after)) {
		return n.largest
	}
	n.largest, n.looked = nil, time.Now()
	for _, some := range n.all {
		if (n.largest == nil || some.known.Len() > n.largest.known.Len()) && some.mayDrop(after) {
			n.largest = some
		}
	}
	return n.largest
}

// mayDrop reports whether a known client has been without progress for a time.
func (n *network) mayDrop(after time.Duration) bool {
	first := n.known.Front()
	return first != nil && time.Since(first.Value.(stranger).since) >= after
}

// drop makes a waiting ReadLine and all later calls return ErrTooManyConns, and makes a TLS
// handshake fail. It reports whether the connection was in either.
func (c *Conn) drop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crowded = true
	return c.wakeLocked()
}

// dropAwaited is drop for a connection whose client is waited for: in ReadLine, in a text or in a handshake. Any other
// connection stays, and dropAwaited returns false.
func (c *Conn) dropAwaited() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.receiving:
		c.net.SetReadDeadline(time.Unix(1, 0))
	case !c.wakeLocked():
		return false
	}
	c.crowded = true
	return true
}

// beginReceive notes that the connection waits for a part of a text until a deadline; zero: the deadline stays. The
// text ends if the connection is dropped, and goes on in all other cases.
func (c *Conn) beginReceive(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.crowded {
		return ErrTooManyConns
	}
	c.receiving = true
	if deadline.IsZero() {
		return nil
	}
	return c.net.SetReadDeadline(deadline)
}

// endReceive notes the end of the wait for a part of a text.
func (c *Conn) endReceive() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.receiving = false
	if c.crowded {
		return ErrTooManyConns
	}
	return nil
}

// Known notes that the server knows the client: the client has logged in, or has named a
// recipient. From now on Config.LoginTimeout does not apply to the connection, and the server
// drops the connection for a new one only as Config.DropKnownAfter says.
func (c *Conn) Known() {
	c.loginBy = time.Time{}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.srv.crowd.acquaint(c, c.cfg.DropKnownAfter > 0)
}

// Progressed notes that a known client has done something useful, such as storing a message, see
// Config.DropKnownAfter.
func (c *Conn) Progressed() {
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	if c.inNetwork.known != nil {
		c.inNetwork.acquaint(c)
		c.inRegion.acquaint(c)
	}
}
