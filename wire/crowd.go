package wire

import (
	"container/list"
	"log/slog"
	"time"
)

// crowd is which connections may be dropped when there are too many. Guarded by Server.mu.
type crowd struct {
	// unknown are the connections that are not known, the oldest first, each with its
	// beginning.
	unknown list.List
	// leaving counts the connections that were dropped and have not ended yet.
	leaving int
}

// stranger is an element of crowd.unknown.
type stranger struct {
	c     *Conn
	since time.Time
}

func (cr *crowd) add(c *Conn) { c.place = cr.unknown.PushBack(stranger{c, time.Now()}) }

// forget takes a connection out of those that may be dropped.
func (cr *crowd) forget(c *Conn) {
	if c.place != nil {
		cr.unknown.Remove(c.place)
		c.place = nil
	}
}

// remove is for a connection that has ended.
func (cr *crowd) remove(c *Conn) {
	cr.forget(c)
	if c.leaving {
		cr.leaving--
	}
}

// maxLeaving bounds how many connections are open beyond MaxConns, since they were dropped and
// take their time to end: one in so many of MaxConns, and one more.
const maxLeaving = 10

// makeRoomLocked drops the oldest connection that is not known, and reports whether there was
// one to drop.
func (s *Server) makeRoomLocked() bool {
	first := s.crowd.unknown.Front()
	if first == nil || s.cfg.DropAfter < 0 || s.crowd.leaving > s.cfg.MaxConns/maxLeaving {
		return false
	}
	oldest := first.Value.(stranger)
	if time.Since(oldest.since) < s.cfg.DropAfter {
		return false
	}
	c := oldest.c
	s.crowd.forget(c)
	c.leaving = true
	s.crowd.leaving++
	s.cfg.Metrics.dropped.WithLabelValues(s.cfg.Protocol, "crowded").Inc()
	// Not while everything waits for s.mu.
	go c.LogSummed(slog.LevelWarn, "connection dropped for a new one, since it had not logged in", ErrTooManyConns)
	if !c.drop() {
		s.conns[c]() // ends what it waits for
		c.abort()
	}
	return true
}

// drop makes the present ReadLine, if it waits, and all later ones return ErrTooManyConns, and a
// TLS handshake fail. It reports whether there was anything to wake.
func (c *Conn) drop() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.crowded = true
	return c.wakeLocked()
}

// Known says that the client is known to the server: it has logged in, or it has named a
// recipient. Config.LoginTimeout ends for the connection, and it is not dropped for a new one any
// more.
func (c *Conn) Known() {
	c.knownBy = time.Time{}
	c.srv.mu.Lock()
	defer c.srv.mu.Unlock()
	c.srv.crowd.forget(c)
}
