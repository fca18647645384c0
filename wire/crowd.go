package wire

import (
	"container/list"
	"log/slog"
	"time"
)

// crowd holds the connections that may be dropped when there are too many. Guarded by Server.mu.
type crowd struct {
	// strangers are the connections of clients that are not known, the oldest first.
	strangers list.List
	// dropped counts the connections that were dropped and have not ended yet.
	dropped int
}

// stranger is an element of crowd.strangers.
type stranger struct {
	c     *Conn
	since time.Time // begin of the connection
}

func (cr *crowd) add(c *Conn) { c.stranger = cr.strangers.PushBack(stranger{c, time.Now()}) }

// forget excepts a connection from being dropped.
func (cr *crowd) forget(c *Conn) {
	if c.stranger != nil {
		cr.strangers.Remove(c.stranger)
		c.stranger = nil
	}
}

// remove notes that a connection has ended.
func (cr *crowd) remove(c *Conn) {
	cr.forget(c)
	if c.dropped {
		cr.dropped--
	}
}

// maxDropped limits the connections open beyond MaxConns: dropped connections, which take time to
// end. The limit is this part of MaxConns, and one connection more.
const maxDropped = 10

// makeRoomLocked drops the oldest connection of a client that is not known. It reports whether
// there was a connection to drop.
func (s *Server) makeRoomLocked() bool {
	first := s.crowd.strangers.Front()
	if first == nil || s.cfg.DropAfter < 0 || s.crowd.dropped > s.cfg.MaxConns/maxDropped {
		return false
	}
	oldest := first.Value.(stranger)
	if time.Since(oldest.since) < s.cfg.DropAfter {
		return false
	}
	c := oldest.c
	s.crowd.forget(c)
	c.dropped = true
	s.crowd.dropped++
	s.cfg.Metrics.dropped.WithLabelValues(s.cfg.Protocol, "crowded").Inc()
	// The log may be slow, and all connections wait for s.mu.
	go c.LogSummed(slog.LevelWarn, "connection dropped for a new connection: the client had not logged in", ErrTooManyConns)
	if !c.drop() {
		s.conns[c]() // cancels the command in progress
		c.abort()
	}
	return true
}

// drop makes a waiting ReadLine and all later calls return ErrTooManyConns, and makes a TLS
// handshake fail. It reports whether the connection was in either.
func (c *Conn) drop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crowded = true
	return c.wakeLocked()
}

// Known notes that the server knows the client: the client has logged in, or has named a
// recipient. From now on Config.LoginTimeout does not apply to the connection, and the server
// never drops the connection for a new one.
func (c *Conn) Known() {
	c.loginBy = time.Time{}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.srv.crowd.forget(c)
}
