package wire

import (
	"container/list"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"io"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Limits of the wait of close for the peer to close, see Conn.Linger.
const (
	lingerTime   = 2 * time.Second
	lingerOctets = 1 << 20
)

// Conn is one client connection. See the package comment for buffers and deadlines.
type Conn struct {
	id     string
	cfg    *Config
	remote netip.Addr

	srv *Server
	// ctx is the context of the handler. implicitTLS is nil if the connection begins without TLS.
	ctx         context.Context
	implicitTLS *tls.Config
	// loginBy is the end of LoginTimeout; zero: no limit, or the client is known.
	loginBy time.Time
	text    textClock

	raw net.Conn
	net net.Conn // raw, or the TLS connection on top of records on top of raw
	// records is nil without TLS. emptied says that the last read has returned all input that TLS had decrypted.
	records *records
	emptied bool
	tls     *tls.ConnectionState
	linger  bool
	broken  bool

	// Input: in[r:w] has been read and not yet consumed. in is small or *big.
	small [smallBuffer]byte
	big   *[]byte
	in    []byte
	r, w  int
	inErr error

	// Output: out[:outN] is still to be sent.
	out    *[]byte
	outN   int
	outErr error

	since time.Time

	mu              sync.Mutex
	progress        Progress
	secured         bool               // TLS is on, as tls for other goroutines
	ended           bool               // by the administrator
	closed          bool               // the last output has been sent
	waiting         bool               // ReadLine waits for a command
	writing         bool               // output is being sent
	sendingText     bool               // between NewDotWriter and Close
	cancelHandshake context.CancelFunc // ends the TLS handshake in progress; nil: none
	stopping        bool
	receiving       bool // a text waits for its next part
	crowded         bool // to be dropped for a new connection

	// stranger is the element of crowd.strangers, while the client is not known. inNetwork and inRegion are zero for a client that
	// is not counted. dropped says that the server dropped the connection. Server.mu guards all.
	stranger            *list.Element
	inNetwork, inRegion membership
	dropped             bool
}

func newConn(nc net.Conn, srv *Server) *Conn {
	c := &Conn{srv: srv, cfg: &srv.cfg, raw: nc, net: nc, id: newSessionID(), since: time.Now()}
	c.in = c.small[:]
	if limit := c.cfg.LoginTimeout; limit > 0 {
		c.loginBy = time.Now().Add(limit)
	}
	c.remote = addrOf(nc)
	if p, ok := nc.(*proxied); ok && p.client.IsValid() {
		c.remote = p.client
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

// Remote is the client's address without port; the zero value for a unix socket. Behind a proxy of
// Config.ProxyNetworks the proxy names the client.
func (c *Conn) Remote() netip.Addr { return c.remote }

// RemoteText names the client in logs: Remote, or "local" for a unix socket.
func (c *Conn) RemoteText() string { return remoteText(c.remote) }

// Local reports whether the client is on this machine: a loopback address or a unix socket.
func (c *Conn) Local() bool { return !c.remote.IsValid() || c.remote.IsLoopback() }

// TLS describes the TLS connection; nil without TLS.
func (c *Conn) TLS() *tls.ConnectionState { return c.tls }

// Buffered is the count of octets received and not yet consumed.
func (c *Conn) Buffered() int { return c.w - c.r }

// Received returns the octets received and not yet read: command lines that the client sent without a wait for the
// replies to the commands before. The slice is valid until the next read.
func (c *Conn) Received() []byte { return c.in[c.r:c.w] }

// Linger delays the end of the connection until the peer has closed too, for two seconds and
// 1 MiB at most. If a server closes while its peer is still sending, the peer's system discards
// the last reply.
func (c *Conn) Linger() { c.linger = true }

// Break ends the connection at once with an error that the peer cannot mistake for an orderly
// end: a TCP reset, and no close_notify of TLS. Output that is not sent yet is lost. Break is for a
// text that cannot be sent to its end: some clients mistake the end of the connection for the end
// of the text.
func (c *Conn) Break() {
	c.broken = true
	c.outN = 0
	if c.outErr == nil {
		c.outErr = net.ErrClosed
	}
}

// close ends the connection after flushing, and returns the buffers to the pool.
func (c *Conn) close() {
	if c.broken {
		if tcp, ok := c.raw.(interface{ SetLinger(int) error }); ok {
			tcp.SetLinger(0)
		}
		c.raw.Close()
	}
	err := c.Flush()
	c.noteClosed()
	if half, ok := c.net.(interface{ CloseWrite() error }); ok && c.linger && err == nil {
		half.CloseWrite()
		c.net.SetReadDeadline(time.Now().Add(lingerTime))
		io.CopyN(io.Discard, c.net, lingerOctets)
	}
	c.net.Close()
	c.r, c.w = 0, 0
	c.releaseInput()
}

// noteClosed notes that the session has come to its end: nothing is left for EndSession.
func (c *Conn) noteClosed() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.closed = true
}

// abort ends the connection at once, from another goroutine than the handler's.
func (c *Conn) abort() { c.raw.Close() }
