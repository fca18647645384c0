package wire

import (
	"context"
	"errors"
	"io"
	"os"
	"time"
)

// Watch finds out whether the peer hangs up while a command waits. It returns a context that
// ends with the cause ErrGone then, and a function that ends the watch, which must be called
// before anything else is read. The slice that ReadLine returned is not valid any more.
//
// Octets that arrive meanwhile are kept for ReadLine. A peer that closed its side behind
// further commands may still want the answers: it does not count as gone. Neither does a peer
// whose octets fill the input buffer.
func (c *Conn) Watch(ctx context.Context) (watched context.Context, stop func()) {
	watched, cancel := context.WithCancelCause(ctx)
	if c.r == c.w {
		c.r, c.w = 0, 0
	}
	if c.inErr != nil {
		c.gone(cancel)
		return watched, func() { cancel(nil) }
	}
	c.net.SetReadDeadline(time.Time{})
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
				c.gone(cancel)
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

// gone ends a watch with ErrGone, unless there are commands left that a peer which closed its
// side only may have the answers to.
func (c *Conn) gone(cancel context.CancelCauseFunc) {
	if c.r == c.w || !errors.Is(c.inErr, io.EOF) {
		cancel(ErrGone)
	}
}
