package wire

import (
	"errors"
	"sync"
	"time"
)

const (
	smallBuffer = 256      // octets of input buffer of an idle connection
	bufferSize  = 32 << 10 // octets of a pooled input or output buffer
)

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// fill reads more input behind in[r:w]. idle says that no input is pending, so that the small
// buffer suffices.
//
// A session that waits for a command waits in fill, and its stack decides about the memory of idle sessions: with less
// than 1,200 octets of calls the stack shrinks to 4 KiB. So the functions from begin to fill have few variables, and
// records.await waits in place of TLS.
func (c *Conn) fill(idle bool) error {
	if c.inErr != nil {
		return c.inErr
	}
	if c.r == c.w {
		c.r, c.w = 0, 0
		if idle {
			c.releaseInput()
		}
	}
	if !idle && c.big == nil {
		c.big = buffers.Get().(*[]byte)
		c.w = copy(*c.big, c.in[c.r:c.w])
		c.r = 0
		c.in = *c.big
	}
	if c.w == len(c.in) {
		c.w = copy(c.in, c.in[c.r:c.w])
		c.r = 0
	}
	if c.emptied && idle {
		c.records.await()
	}
	n, err := c.net.Read(c.in[c.w:])
	c.w += n
	c.inErr = err
	c.emptied = c.records != nil && c.w < len(c.in)
	if n > 0 {
		return nil // the next call returns the error
	}
	return err
}

func (c *Conn) releaseInput() {
	if c.big != nil {
		buffers.Put(c.big)
		c.big = nil
	}
	c.in = c.small[:]
}

// Write adds p to the output. The output is sent when it has 32 KiB, by Flush, and before ReadLine
// waits. All calls after the first error of the connection return the same error.
func (c *Conn) Write(p []byte) (int, error) { return write(c, p) }

// WriteString is Write for a string.
func (c *Conn) WriteString(s string) (int, error) { return write(c, s) }

func write[T []byte | string](c *Conn, p T) (written int, err error) {
	for len(p) > 0 {
		if c.outErr != nil {
			return written, c.outErr
		}
		if c.out == nil {
			c.out = buffers.Get().(*[]byte)
		}
		n := copy((*c.out)[c.outN:], p)
		c.outN += n
		written += n
		p = p[n:]
		if c.outN == len(*c.out) {
			c.flushBuffer()
		}
	}
	return written, c.outErr
}

// Flush sends the output. Errors: ErrTimeout, the peer did not receive the output in time; ErrEnded, the
// administrator has ended the session meanwhile; errors of the connection.
func (c *Conn) Flush() error {
	if c.outN > 0 && c.outErr == nil {
		c.flushBuffer()
	}
	if c.out != nil {
		buffers.Put(c.out)
		c.out = nil
		c.outN = 0
	}
	return c.outErr
}

func (c *Conn) flushBuffer() {
	if c.outErr = c.beginWrite(); c.outErr == nil {
		_, err := c.net.Write((*c.out)[:c.outN])
		if c.outErr = c.endWrite(err); c.outErr != nil {
			c.broken = true // a part may have reached the peer, see Break
		}
	}
	c.outN = 0
}

// beginWrite notes that output is sent, and sets its deadline. Errors: ErrEnded in the middle of a text.
func (c *Conn) beginWrite() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	limit := c.cfg.WriteTimeout
	switch {
	case c.ended && c.sendingText:
		return ErrEnded
	case c.ended:
		limit = min(limit, lingerTime)
	}
	c.writing = true
	c.net.SetWriteDeadline(time.Now().Add(limit))
	return nil
}

// endWrite notes the end of a write, and translates its error.
func (c *Conn) endWrite(err error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.writing = false
	if err = translate(err); c.ended && errors.Is(err, ErrTimeout) {
		return ErrEnded
	}
	return err
}

// hastenLocked shortens a write in progress of a session that the administrator ends: the client may not read.
// A text breaks off at once; a reply has lingerTime.
func (c *Conn) hastenLocked() {
	switch {
	case !c.writing:
	case c.sendingText:
		c.net.SetWriteDeadline(time.Unix(1, 0))
	default:
		c.net.SetWriteDeadline(time.Now().Add(lingerTime))
	}
}

// noteText notes the begin or the end of a text that is sent.
func (c *Conn) noteText(begins bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sendingText = begins
}
