package wire

import (
	"bytes"
	"container/list"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"time"
)

const (
	smallBuffer = 256       // input buffer of an idle connection
	bufferSize  = 32 << 10  // pooled input and output buffers
	progress    = 16 << 10  // octets of a text that move the read deadline on
	endless     = 256 << 10 // octets of one line after which the connection is given up

	maxBegins = 16 // octets that are kept of a line that is too long

	lingerTime   = 2 * time.Second
	lingerOctets = 1 << 20
)

// MaxLineLimit is the largest usable Config.MaxLine.
const MaxLineLimit = bufferSize - 2

var buffers = sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }}

// Conn is one client connection. See the package comment for buffers and deadlines.
type Conn struct {
	id     string
	cfg    *Config
	remote netip.Addr

	srv *Server
	// knownBy is when LoginTimeout ends; zero: no limit (any more).
	knownBy time.Time
	text    textClock

	raw    net.Conn
	net    net.Conn // raw, or the TLS connection once there is one
	tls    *tls.ConnectionState
	linger bool
	broken bool

	// Input: in[r:w] has been read and not yet consumed. in is small or *big.
	small [smallBuffer]byte
	big   *[]byte
	in    []byte
	r, w  int
	inErr error

	// Output: out[:n] is still to be sent.
	out    *[]byte
	outN   int
	outErr error

	mu       sync.Mutex
	waiting  bool               // in ReadLine, blocked for a command
	shaking  context.CancelFunc // ends the TLS handshake under way, if any
	stopping bool
	crowded  bool // to be dropped for a new connection

	// place is in crowd.unknown, while the connection is not known; leaving says that the
	// connection was dropped. Both are guarded by Server.mu.
	place   *list.Element
	leaving bool
}

func newConn(nc net.Conn, srv *Server) *Conn {
	c := &Conn{srv: srv, cfg: &srv.cfg, raw: nc, net: nc, id: newSessionID()}
	c.in = c.small[:]
	if limit := c.cfg.LoginTimeout; limit > 0 {
		c.knownBy = time.Now().Add(limit)
	}
	if tcp, ok := nc.RemoteAddr().(*net.TCPAddr); ok {
		c.remote = tcp.AddrPort().Addr().Unmap()
	}
	return c
}

func newSessionID() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// ID names the session in logs and in replies: 12 hexadecimal digits.
func (c *Conn) ID() string { return c.id }

// Remote is the client's address without port; the zero value for a unix socket.
func (c *Conn) Remote() netip.Addr { return c.remote }

// Local reports whether the client is on this machine: a loopback address or a unix socket.
func (c *Conn) Local() bool { return !c.remote.IsValid() || c.remote.IsLoopback() }

// TLS describes the TLS connection, or is nil without TLS.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// Buffered is the count of octets received and not yet consumed.
func (c *Conn) Buffered() int { return c.w - c.r }

// ReadLine reads one command line and returns it without its line end; the slice is valid
// until the next read. Before it waits for input it flushes the output.
//
// With ErrLineTooLong and ErrBareLineEnd the slice holds how the line begins: the caller may have
// to know which command it was.
//
// Errors: ErrLineTooLong, ErrBareLineEnd (the session may go on); ErrEndless, ErrStopping,
// ErrTooManyConns (the connection is dropped for a new one), ErrTimeout, io.EOF and errors of the
// connection (it may not).
func (c *Conn) ReadLine() ([]byte, error) {
	if err := c.enter(); err != nil {
		return nil, err
	}
	armed := false
	scanned, skipped := 0, 0
	var begins []byte // of a line that is too long
	for {
		if i := bytes.IndexByte(c.in[c.r+scanned:c.w], '\n'); i >= 0 {
			line := c.in[c.r : c.r+scanned+i]
			c.r += scanned + i + 1
			n := len(line)
			crlf := n > 0 && line[n-1] == '\r'
			if crlf {
				line = line[:n-1]
			}
			switch {
			case skipped > 0:
				return begins, ErrLineTooLong
			case len(line) > c.cfg.MaxLine:
				return line[:c.cfg.MaxLine], ErrLineTooLong
			case !crlf && c.cfg.StrictLineEnd:
				return line, ErrBareLineEnd
			}
			return line, nil
		}
		if c.w-c.r > c.cfg.MaxLine+1 { // too long already: keep only how it begins
			if skipped == 0 {
				begins = append(begins, c.in[c.r:c.r+min(c.cfg.MaxLine, maxBegins)]...)
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
			if err := c.wait(c.within(time.Now().Add(c.cfg.IdleTimeout))); err != nil {
				return nil, err
			}
		}
		err := c.fill(scanned == 0 && skipped == 0)
		if err != nil {
			if ended := c.leave(); ended != nil {
				return nil, ended
			}
			return nil, c.late(translate(err))
		}
		if bytes.IndexByte(c.in[c.r+scanned:c.w], '\n') >= 0 {
			// A whole line and Interrupt may come at once: then the line is not executed.
			if ended := c.leave(); ended != nil {
				return nil, ended
			}
		}
	}
}

// enter says why no further command may be read, if so.
func (c *Conn) enter() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.endedLocked()
}

// endedLocked says why the connection is to end, if so.
func (c *Conn) endedLocked() error {
	switch {
	case c.stopping:
		return ErrStopping
	case c.crowded:
		return ErrTooManyConns
	}
	return nil
}

// wait declares that the connection is waiting for a command until deadline.
func (c *Conn) wait(deadline time.Time) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.endedLocked(); err != nil {
		return err
	}
	c.waiting = true
	return c.net.SetReadDeadline(deadline)
}

// leave ends wait and says why the connection is to end, if it was interrupted meanwhile.
func (c *Conn) leave() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.waiting = false
	return c.endedLocked()
}

// Interrupt makes the present ReadLine, if it waits, and all later ones return ErrStopping,
// and a TLS handshake fail. A command being executed, and the text it reads, is not
// disturbed.
func (c *Conn) Interrupt() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stopping = true
	c.wakeLocked()
}

// wakeLocked ends the wait for a command, or the TLS handshake, and reports whether there was
// one.
func (c *Conn) wakeLocked() bool {
	if c.waiting {
		c.net.SetReadDeadline(time.Unix(1, 0))
	}
	if c.shaking != nil {
		c.shaking()
	}
	return c.waiting || c.shaking != nil
}

// fill reads more input behind in[r:w]. idle says that nothing is pending, so the small
// buffer will do.
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
	n, err := c.net.Read(c.in[c.w:])
	c.w += n
	if n > 0 {
		c.inErr = err // for the next time
		return nil
	}
	if err != nil {
		c.inErr = err
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

// Write adds p to the output. It is sent when 32 KiB have gathered, on Flush, or before
// ReadLine waits. The first error of the connection is returned by all later calls.
func (c *Conn) Write(p []byte) (int, error) {
	written := 0
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

// WriteString is Write for a string.
func (c *Conn) WriteString(s string) (int, error) {
	written := 0
	for len(s) > 0 {
		if c.outErr != nil {
			return written, c.outErr
		}
		if c.out == nil {
			c.out = buffers.Get().(*[]byte)
		}
		n := copy((*c.out)[c.outN:], s)
		c.outN += n
		written += n
		s = s[n:]
		if c.outN == len(*c.out) {
			c.flushBuffer()
		}
	}
	return written, c.outErr
}

// Flush sends what was written. ErrTimeout means that the peer did not take it in time.
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
	c.net.SetWriteDeadline(time.Now().Add(c.cfg.WriteTimeout))
	_, err := c.net.Write((*c.out)[:c.outN])
	c.outN = 0
	c.outErr = translate(err)
}

// StartTLS makes the connection a TLS connection, as the server. The reply that announces it
// must have been written; StartTLS flushes it and forgets all input that came before the
// handshake, so that nothing pipelined in clear text is ever executed (RFC 3207 section 4.2,
// RFC 2595 section 4). After an error the connection must be closed: there is no way back to
// clear text. The failure was logged.
func (c *Conn) StartTLS(ctx context.Context, cfg *tls.Config) error {
	if err := c.Flush(); err != nil {
		return err
	}
	c.r, c.w = 0, 0
	c.releaseInput()
	return c.handshake(ctx, cfg)
}

// handshake makes the connection a TLS connection. A failure is logged here.
func (c *Conn) handshake(ctx context.Context, cfg *tls.Config) error {
	err := c.shakeHands(ctx, cfg)
	if err != nil {
		c.LogSummed(slog.LevelInfo, "TLS handshake failed", err)
	}
	return err
}

func (c *Conn) shakeHands(ctx context.Context, cfg *tls.Config) error {
	tc := tls.Server(c.net, cfg)
	deadline := c.within(time.Now().Add(c.cfg.HandshakeTimeout))
	tc.SetDeadline(deadline)
	ctx, cancel := context.WithDeadline(ctx, deadline)
	defer cancel()
	c.mu.Lock()
	if c.stopping {
		cancel()
	}
	c.shaking = cancel
	c.mu.Unlock()
	err := tc.HandshakeContext(ctx)
	c.mu.Lock()
	c.shaking = nil
	stopped := c.stopping
	if err == nil {
		c.net = tc
	}
	c.mu.Unlock()
	switch {
	case err == nil:
	case stopped:
		return ErrStopping
	case errors.Is(err, context.DeadlineExceeded):
		return c.late(ErrTimeout)
	default:
		return translate(err)
	}
	tc.SetDeadline(time.Time{})
	state := tc.ConnectionState()
	c.tls = &state
	return nil
}

// Linger makes the end of the connection wait, for two seconds and 1 MiB at the most, until
// the peer has closed too. Without it, closing while the peer is still sending would make
// its system throw away the last reply.
func (c *Conn) Linger() { c.linger = true }

// Break makes the connection end at once with an error that the peer cannot take for an
// orderly end: a TCP reset, and no close_notify of TLS. What was written and not yet sent is
// lost. It is for a text that cannot be sent to its end: there are clients that take the
// end of the connection for the end of the text.
func (c *Conn) Break() {
	c.broken = true
	c.outN = 0
	if c.outErr == nil {
		c.outErr = net.ErrClosed
	}
}

// close ends the connection after flushing, and gives the buffers back.
func (c *Conn) close() {
	if c.broken {
		if tcp, ok := c.raw.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
		}
		c.raw.Close()
	}
	err := c.Flush()
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && c.linger && err == nil {
		half.CloseWrite()
		c.net.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, c.net, lingerOctets)
	}
	c.net.Close()
	c.r, c.w = 0, 0
	c.releaseInput()
}

// abort ends the connection at once, from outside the handler.
func (c *Conn) abort() { c.raw.Close() }
