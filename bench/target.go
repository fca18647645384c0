package bench

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
	"time"
)

// TLSMode says whether and how a connection is encrypted.
type TLSMode string

// The TLS modes.
const (
	TLSNone     TLSMode = "none"     // clear text; the zero value means the same
	TLSStart    TLSMode = "starttls" // STARTTLS (RFC 3207), in POP3 STLS (RFC 2595)
	TLSImplicit TLSMode = "tls"      // TLS from the first octet (RFC 8314)
)

// Target is a server to connect to.
type Target struct {
	// Addr is "host:port", or "unix:/path" for a socket in the file system.
	Addr string

	// TLS is the encryption. Default TLSNone.
	TLS TLSMode

	// Insecure accepts any certificate.
	Insecure bool

	// Timeout bounds one step (connect, a reply, a message); then the connection counts as lost.
	// Default 60s.
	Timeout time.Duration
}

// defaultTimeout is Target.Timeout where none was given.
const defaultTimeout = 60 * time.Second

// validate describes errors of t in words for the user.
func (t Target) validate() error {
	switch t.TLS {
	case "", TLSNone, TLSStart, TLSImplicit:
	default:
		return fmt.Errorf("bench: TLS mode %q: want none, starttls or tls", t.TLS)
	}
	if path, ok := strings.CutPrefix(t.Addr, "unix:"); ok {
		if path == "" {
			return fmt.Errorf("bench: address %q: the path is missing", t.Addr)
		}
		return nil
	}
	if _, _, err := net.SplitHostPort(t.Addr); err != nil {
		return fmt.Errorf("bench: address %q: want host:port or unix:/path", t.Addr)
	}
	return nil
}

// network splits Addr for net.Dial.
func (t Target) network() (network, address string) {
	if path, ok := strings.CutPrefix(t.Addr, "unix:"); ok {
		return "unix", path
	}
	return "tcp", t.Addr
}

// tlsConfig returns the client side of a handshake with the target.
func (t Target) tlsConfig() *tls.Config {
	host, _, err := net.SplitHostPort(t.Addr)
	if err != nil {
		host = "localhost"
	}
	return &tls.Config{ServerName: host, InsecureSkipVerify: t.Insecure, MinVersion: tls.VersionTLS12}
}

// timeout returns Timeout or its default.
func (t Target) timeout() time.Duration {
	if t.Timeout > 0 {
		return t.Timeout
	}
	return defaultTimeout
}

// dial connects, with TLS if the mode is TLSImplicit. After the end of ctx the connection has
// stopGrace left for its step.
func (t Target) dial(ctx context.Context) (*link, error) {
	network, address := t.network()
	d := net.Dialer{Timeout: t.timeout(), KeepAlive: -1}
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	l := newLink(ctx, conn, t.timeout())
	if t.TLS == TLSImplicit {
		if err := l.startTLS(t.tlsConfig()); err != nil {
			l.close()
			return nil, err
		}
	}
	return l, nil
}
