package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// takenTime is how long Taken waits for the peer's system.
const takenTime = 2 * time.Second

// Acknowledged reports whether the peer's system is known to have everything that was written.
// It neither flushes nor waits. Only Linux tells what TCP has acknowledged, and what the peer
// has read from a unix socket; elsewhere what was handed over without an error counts.
func (c *Conn) Acknowledged() bool {
	n, err := c.left()
	return n == 0 && err == nil
}

// left is how many octets are not acknowledged, or why some never will be.
func (c *Conn) left() (n int, err error) {
	if c.failed() {
		return 0, net.ErrClosed
	}
	n, err = unacknowledged(c.raw)
	return n + c.outN, err
}

// Taken flushes and waits a while until everything is acknowledged. False means that the end
// of what was written may not have come to the peer.
func (c *Conn) Taken() bool {
	c.Flush()
	pause := time.Millisecond
	for start := time.Now(); ; pause = min(2*pause, 50*time.Millisecond) {
		n, err := c.left()
		if n == 0 || err != nil || time.Since(start) > takenTime {
			return n == 0 && err == nil
		}
		time.Sleep(pause)
	}
}

// failed reports whether the connection has failed, as opposed to having been closed by the
// peer, which may still have read all replies.
func (c *Conn) failed() bool {
	if c.outErr != nil {
		return true
	}
	switch err := c.inErr; {
	case err == nil, errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, os.ErrDeadlineExceeded):
		return false
	}
	return true
}
