package wire

import (
	"errors"
	"io"
	"net"
	"os"
	"time"
)

// Acknowledged reports whether the peer's system is known to have received all output.
// Acknowledged neither flushes nor waits. Only Linux reports the octets that TCP has acknowledged,
// and the octets that the peer has read from a unix socket. On other systems output counts as
// acknowledged once the system has accepted it without an error.
func (c *Conn) Acknowledged() bool {
	n, err := c.unacknowledged()
	return n == 0 && err == nil
}

// AwaitAcknowledgement flushes and waits until all output is acknowledged, for
// Config.AcknowledgementTimeout at most. False means that the end of the output may not have reached the
// peer.
func (c *Conn) AwaitAcknowledgement() bool {
	c.Flush()
	pause := time.Millisecond
	for start := time.Now(); ; pause = min(2*pause, 50*time.Millisecond) {
		n, err := c.unacknowledged()
		if n == 0 || err != nil || time.Since(start) > c.cfg.AcknowledgementTimeout {
			return n == 0 && err == nil
		}
		time.Sleep(pause)
	}
}

// unacknowledged counts the octets of output that are not acknowledged. The error says why some
// octets will never be acknowledged.
func (c *Conn) unacknowledged() (octets int, err error) {
	if c.failed() {
		return 0, net.ErrClosed
	}
	octets, err = socketQueue(c.raw)
	return octets + c.outN, err
}

// failed reports whether the connection has failed. A connection that the peer has closed has not
// failed: the peer may still have read all replies.
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
