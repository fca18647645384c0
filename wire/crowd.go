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
	// networks holds the counted connections by mail.ClientNetwork.
	networks map[netip.Prefix]*network
	// largest is the result of the last look at all networks, see largestNetwork.
	largest *network
	looked  time.Time
	// dropped counts the connections that were dropped and have not ended yet.
	dropped int
}

// stranger is an element of crowd.strangers or of network.known.
type stranger struct {
	c     *Conn
	since time.Time // begin of the connection, or the last progress of a known client
}

// network holds the connections of a network.
type network struct {
	all int // connections
	// known are elements of type stranger: the connections of clients that are known, the longest without progress
	// first. Empty without Config.DropKnownAfter.
	known list.List
}

// add notes a new connection. The connection of a counted client belongs to a network.
func (cr *crowd) add(c *Conn, counted bool) {
	c.stranger = cr.strangers.PushBack(stranger{c, time.Now()})
	if !counted {
		return
	}
	key := mail.ClientNetwork(c.remote)
	n := cr.networks[key]
	if n == nil {
		n = &network{}
		cr.networks[key] = n
	}
	n.all++
	c.network = n
}

// forget excepts a connection from being dropped.
func (cr *crowd) forget(c *Conn) {
	if c.stranger != nil {
		cr.strangers.Remove(c.stranger)
		c.stranger = nil
	}
	if c.acquaintance != nil {
		c.network.known.Remove(c.acquaintance)
		c.acquaintance = nil
	}
}

// acquaint notes that the client of a connection is known.
func (cr *crowd) acquaint(c *Conn, mayBeDropped bool) {
	if c.acquaintance != nil || c.dropped {
		return
	}
	cr.forget(c)
	if mayBeDropped && c.network != nil {
		c.acquaintance = c.network.known.PushBack(stranger{c, time.Now()})
	}
}

// remove notes that a connection has ended.
func (cr *crowd) remove(c *Conn) {
	cr.forget(c)
	if c.network != nil {
		if c.network.all--; c.network.all == 0 {
			delete(cr.networks, mail.ClientNetwork(c.remote))
		}
	}
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
// has fewer connections, with the newcomer. It reports whether there was such a client.
func (s *Server) dropKnownLocked(newcomer *Conn) bool {
	own := 1
	if n := s.crowd.networks[mail.ClientNetwork(newcomer.remote)]; n != nil {
		own = n.all + 1
	}
	after := s.cfg.DropKnownAfter
	largest := s.crowd.largestNetwork(after)
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
	s.crowd.largest = nil // until the next look
	return false
}

// largestNetwork returns the network with the most known clients among the networks with a client that may be dropped;
// nil: there is none. The result is lookPause old at most.
func (cr *crowd) largestNetwork(after time.Duration) *network {
	if time.Since(cr.looked) < lookPause && (cr.largest == nil || cr.largest.mayDrop(after)) {
		return cr.largest
	}
	cr.largest, cr.looked = nil, time.Now()
	for _, n := range cr.networks {
		if (cr.largest == nil || n.known.Len() > cr.largest.known.Len()) && n.mayDrop(after) {
			cr.largest = n
		}
	}
	return cr.largest
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
	if c.acquaintance != nil {
		c.network.known.Remove(c.acquaintance)
		c.acquaintance = c.network.known.PushBack(stranger{c, time.Now()})
	}
}
