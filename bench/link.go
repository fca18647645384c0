package bench

import (
	"bufio"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// stopGrace is the time that a connection has for its step after the run was cancelled, so that
// Ctrl-C leaves few unknown outcomes.
const stopGrace = 3 * time.Second

// readBuffer is the size of a connection's input buffer: a few messages of usual size.
const readBuffer = 32 << 10

// readers lends input buffers, because a poll opens thousands of connections a second.
var readers = sync.Pool{New: func() any { return bufio.NewReaderSize(nil, readBuffer) }}

// errLongLine is a reply line longer than the input buffer.
var errLongLine = errors.New("reply line longer than 32 KiB")

// link is one client connection: buffered input, direct output. One goroutine uses it.
type link struct {
	ctx     context.Context
	conn    net.Conn
	br      *bufio.Reader
	timeout time.Duration
	unwatch func() bool
}

// newLink wraps conn. The caller closes the link, which closes conn.
func newLink(ctx context.Context, conn net.Conn, timeout time.Duration) *link {
	l := &link{ctx: ctx, conn: conn, timeout: timeout, br: readers.Get().(*bufio.Reader)}
	l.br.Reset(conn)
	l.unwatch = context.AfterFunc(ctx, func() { conn.SetDeadline(time.Now().Add(stopGrace)) })
	l.arm()
	return l
}

// arm gives the next step its whole timeout. After the run was cancelled arm has no effect.
func (l *link) arm() {
	if l.ctx.Err() == nil {
		l.conn.SetDeadline(time.Now().Add(l.timeout))
		if l.ctx.Err() != nil {
			l.conn.SetDeadline(time.Now().Add(stopGrace))
		}
	}
}

// startTLS turns the connection into a TLS one. Input before the handshake is an error: any machine
// on the path could have inserted it (RFC 3207 section 6).
func (l *link) startTLS(cfg *tls.Config) error {
	if l.br.Buffered() > 0 {
		return errors.New("the server sent more in clear text after agreeing to TLS")
	}
	l.arm()
	c := tls.Client(l.conn, cfg)
	if err := c.HandshakeContext(l.ctx); err != nil {
		return fmt.Errorf("TLS handshake: %w", err)
	}
	l.conn = c
	l.br.Reset(c)
	return nil
}

// write sends b at once.
func (l *link) write(b []byte) error {
	_, err := l.conn.Write(b)
	return err
}

// line reads one line and returns it without its line end. The slice is valid until the next read.
func (l *link) line() ([]byte, error) {
	b, err := l.br.ReadSlice('\n')
	if err != nil {
		if errors.Is(err, bufio.ErrBufferFull) {
			return nil, errLongLine
		}
		if err == io.EOF && len(b) > 0 {
			return nil, io.ErrUnexpectedEOF
		}
		return nil, err
	}
	b = b[:len(b)-1]
	if n := len(b); n > 0 && b[n-1] == '\r' {
		b = b[:n-1]
	}
	return b, nil
}

// close ends the connection at once. A second call has no effect.
func (l *link) close() {
	if l.br == nil {
		return
	}
	l.unwatch()
	l.conn.Close()
	l.br.Reset(nil)
	readers.Put(l.br)
	l.br = nil
}

// rest releases the input buffer of a connection that will be silent for long, and removes its
// deadline. Buffered input is an error, and closes the connection.
func (l *link) rest() error {
	if l.br.Buffered() > 0 {
		l.close()
		return errors.New("the server sent more than it was asked for")
	}
	l.unwatch()
	l.conn.SetDeadline(time.Time{})
	l.br.Reset(nil)
	readers.Put(l.br)
	l.br = nil
	return nil
}

// wake makes a connection usable again after rest.
func (l *link) wake() {
	l.br = readers.Get().(*bufio.Reader)
	l.br.Reset(l.conn)
	l.conn.SetDeadline(time.Now().Add(stopGrace)) // arm extends it, unless the run was cancelled
}

// closeAfterPeer waits briefly for the server to close first, then closes. The side that closes
// first keeps the port in TIME_WAIT, and a fast poll would use up all ports.
func (l *link) closeAfterPeer() {
	if l.br != nil {
		l.conn.SetReadDeadline(time.Now().Add(time.Second))
		l.br.ReadByte()
	}
	l.close()
}
