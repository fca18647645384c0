package wire

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Watch watches for the peer to hang up while a command waits. The context watched ends with the
// cause ErrGone when the peer hangs up. The caller must call stop, which ends the watch, before the
// next read. Watch invalidates the slice that ReadLine returned.
//
// ReadLine returns the octets that arrive meanwhile. A peer that closed its side behind further
// commands may still want the replies, and does not count as gone. The same is true of a peer whose
// octets fill the input buffer.
func (c *Conn) Watch(ctx context.Context) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.inErr != nil {
		c.hangUp(cancel)
		return watched, func() { cancel(nil) }
	}
	c.net.SetReadDeadline(time.Time{})
	c.emptied = false
	done := make(chan struct{})
	go func() {
		defer close(done)
		for c.w < len(c.in) {
			n, err := c.net.Read(c.in[c.w:])
			c.w += n
			switch {
			case err == nil:
			case errors.Is(err, os.ErrDeadlineExceeded): // stopped
				return
			default:
				c.inErr = err
				c.hangUp(cancel)
				return
			}
		}
	}()
	return watched, func() {
		c.net.SetReadDeadline(time.Unix(1, 0))
		<-done
		cancel(nil)
	}
}

// hangUp ends a watch with ErrGone, unless commands are left whose replies may still reach a peer
// that closed its side only.
func (c *Conn) hangUp(cancel context.CancelCauseFunc) {
	if c.r == c.w || !errors.Is(c.inErr, io.EOF) {
		cancel(ErrGone)
	}
}
