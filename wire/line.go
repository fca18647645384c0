package wire

import (
	"bytes"
	"time"
)

const (
	// maxLineLimit is the largest usable Config.MaxLine.
	maxLineLimit = bufferSize - 2
	// endless is the length of a line in octets beyond which the connection is given up.
	endless = 256 << 10
	// maxBeginning limits the octets that are kept of a line that is too long.
	maxBeginning = 16
)

// ReadLine reads one command line and returns the line without its line end. The slice is valid
// until the next read. Before ReadLine waits for input it flushes the output.
//
// With ErrLineTooLong and ErrBareLineEnd the slice holds the beginning of the line: the caller may
// need the verb.
//
// Errors: ErrLineTooLong, ErrBareLineEnd (the session may go on); ErrEndless, ErrStopping,
// ErrTooManyConns (the connection is dropped for a new one), ErrEnded, ErrTimeout, io.EOF and errors of the
// connection (the session must end).
func (c *Conn) ReadLine() ([]byte, error) {
	if err := c.mayRead(); err != nil {
		return nil, err
	}
	armed := false
	scanned, skipped := 0, 0
	var beginning []byte // of a line that is too long
	for {
		if i := bytes.IndexByte(c.in[c.r+scanned:c.w], '\n'); i >= 0 {
			line := c.in[c.r : c.r+scanned+i]
			c.r += scanned + i + 1
			if skipped > 0 {
				return beginning, ErrLineTooLong
			}
			return c.trimLine(line)
		}
		if c.w-c.r > c.cfg.MaxLine+1 { // too long already: keep only the beginning
			if skipped == 0 {
				beginning = append(beginning, c.in[c.r:c.r+min(c.cfg.MaxLine, maxBeginning)]...)
			}
			skipped += c.w - c.r
			c.r, c.w = 0, 0
			if skipped > endless {
				return nil, ErrEndless
			}
		}
		scanned = c.w - c.r
		if err := c.Flush(); err != nil {
			return nil, err
		}
		if !armed {
			armed = true
			if err := c.beginWait(); err != nil {
				return nil, err
			}
		}
		err := c.fill(scanned == 0 && skipped == 0)
		if err != nil {
			if ended := c.endWait(); ended != nil {
				return nil, ended
			}
			return nil, c.countTimeout(translate(err))
		}
		if bytes.IndexByte(c.in[c.r+scanned:c.w], '\n') >= 0 {
			// A whole line and an interruption may come at once: then the line is not executed.
			if ended := c.endWait(); ended != nil {
				return nil, ended
			}
		}
	}
}

// trimLine removes the CR from a line that ended in LF, and checks the line.
func (c *Conn) trimLine(line []byte) ([]byte, error) {
	line, crlf := bytes.CutSuffix(line, []byte("\r"))
	switch {
	case len(line) > c.cfg.MaxLine:
		return line[:c.cfg.MaxLine], ErrLineTooLong
	case !crlf && c.cfg.StrictLineEnd:
		return line, ErrBareLineEnd
	}
	return line, nil
}

// mayRead returns the reason if no further command may be read.
func (c *Conn) mayRead() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endedLocked()
}

// endedLocked returns the reason if the connection is to end.
func (c *Conn) endedLocked() error {
	switch {
	case c.stopping:
		return ErrStopping
	case c.crowded:
		return ErrTooManyConns
	case c.ended:
		return ErrEnded
	}
	return nil
}

// beginWait notes that the connection waits for a command, and sets the deadline of the wait.
func (c *Conn) beginWait() error {
	deadline := c.earliest(time.Now().Add(c.cfg.IdleTimeout))
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.endedLocked(); err != nil {
		return err
	}
	c.waiting = true
	return c.net.SetReadDeadline(deadline)
}

// endWait notes the end of the wait. It returns the reason if the connection is to end.
func (c *Conn) endWait() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	return c.endedLocked()
}

// interrupt makes a waiting ReadLine and all later calls return ErrStopping, and makes a TLS
// handshake fail. A command being executed, and the text that the command reads, go on.
func (c *Conn) interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	c.wakeLocked()
}

// wakeLocked ends the wait for a command, or the TLS handshake. It reports whether the connection
// was in either.
func (c *Conn) wakeLocked() bool {
	if c.waiting {
		c.net.SetReadDeadline(time.Unix(1, 0))
	}
	if c.cancelHandshake != nil {
		c.cancelHandshake()
	}
	return c.waiting || c.cancelHandshake != nil
}
