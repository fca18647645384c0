package admin

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"popelago/adminclient"
	"popelago/store"
)

// Peers says how the API asks the peers: the other servers of the cluster. A request to a peer carries the token of
// the caller, so Peers decides which addresses may get tokens: every user of the cluster can write the
// heartbeat of a server.
type Peers struct {
	// Hosts lists the hosts that may get tokens: a name, ".example.org" for all names below, an IP
	// address, or a network. Empty: no peer is asked.
	Hosts []string
	// Plain allows http:// beyond this machine.
	Plain bool
	// Authorities signed the certificates of the peers. Nil: the authorities of the system.
	Authorities *x509.CertPool
	// Secret is the token for callers of the unix socket, who have none. Empty: their requests reach no
	// peer.
	Secret string
	// Timeout limits the answer of each peer. Default 5 s.
	Timeout time.Duration
	// AtOnce limits the peers asked at the same time. Default 32.
	AtOnce int
	// MaxAnswer limits the answer of each peer, in octets. Default 16 MiB.
	MaxAnswer int
}

// Errors about peers that are not asked, or answer with something else.
var (
	errNoAddress   = errors.New("it has no address for other servers, see admin.advertise: or it is of an older release")
	errNotAllowed  = errors.New("its address is not among admin.peers, and gets no token")
	errPlain       = errors.New("its address is plain HTTP on another machine, and gets no token, see admin.peers_plain")
	errNoSecret    = errors.New("there is no token for it: use --server URL --token-file FILE, or set the same secret in admin.token_file on all servers")
	errHugeAnswer  = errors.New("its answer is too long")
	errOtherServer = errors.New("another server answers at its address")
)

// peers makes clients of the peers.
type peers struct {
	Peers
	transport http.RoundTripper
}

func newPeers(cfg Peers) *peers {
	if cfg.Timeout <= 0 {
		cfg.Timeout = 5 * time.Second
	}
	if cfg.AtOnce <= 0 {
		cfg.AtOnce = 32
	}
	if cfg.MaxAnswer <= 0 {
		cfg.MaxAnswer = 16 << 20
	}
	return &peers{Peers: cfg, transport: bounded{limit: cfg.MaxAnswer, RoundTripper: &http.Transport{
		// No proxy: a proxy would see tokens.
		DialContext:            (&net.Dialer{Timeout: cfg.Timeout}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: cfg.Authorities},
		TLSHandshakeTimeout:    cfg.Timeout,
		DisableKeepAlives:      true, // questions are rare
		MaxResponseHeaderBytes: 64 << 10,
	}}}
}

// client returns a client of a peer that sends a token. Errors: errNoAddress, errNotAllowed, errPlain,
// errNoSecret.
func (p *peers) client(s store.Server, token string) (*adminclient.Client, error) {
	if s.Admin == "" {
		return nil, errNoAddress
	}
	u, err := url.Parse(s.Admin)
	if err != nil {
		return nil, errNoAddress
	}
	switch host := u.Hostname(); {
	case !p.allows(host):
		return nil, errNotAllowed
	case u.Scheme != "https" && !p.Plain && !isLoopback(host):
		return nil, errPlain
	case token == "":
		return nil, errNoSecret
	}
	return adminclient.Via(s.Admin, token, p.transport)
}

// allows reports whether a host may get tokens.
func (p *peers) allows(host string) bool {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	ip, err := netip.ParseAddr(host)
	for _, pattern := range p.Hosts {
		pattern = strings.ToLower(pattern)
		switch network, bad := netip.ParsePrefix(pattern); {
		case bad == nil:
			if err == nil && network.Contains(ip.Unmap()) {
				return true
			}
		case strings.HasPrefix(pattern, "."):
			if err != nil && strings.HasSuffix(host, pattern) && len(host) > len(pattern) {
				return true
			}
		case pattern == host:
			return true
		}
	}
	return false
}

// isLoopback reports whether a host is an address of this machine. A name is none: a resolver could lie.
func isLoopback(host string) bool {
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// bounded is a transport whose answers have at most limit octets.
type bounded struct {
	http.RoundTripper
	limit int
}

// RoundTrip implements http.RoundTripper.
func (b bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := b.RoundTripper.RoundTrip(req)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, b.limit}
	}
	return resp, err
}

// boundedBody fails with errHugeAnswer behind left octets.
type boundedBody struct {
	io.ReadCloser
	left int
}

// Read implements io.Reader.
func (b *boundedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errHugeAnswer
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left)])
	b.left -= n
	return n, err
}

// describe explains why a peer gave no part of the answer.
func (p *peers) describe(err error) string {
	var refusal *adminclient.Error
	var certificate *tls.CertificateVerificationError
	switch {
	case errors.As(err, &refusal):
		return describeRefusal(refusal)
	case errors.Is(err, errHugeAnswer):
		return fmt.Sprintf("its answer is longer than %d MiB", p.MaxAnswer>>20)
	case errors.As(err, &certificate):
		return "its certificate is not trusted, see admin.peers_ca: " + certificate.Err.Error()
	case errors.Is(err, context.DeadlineExceeded), isTimeout(err):
		return fmt.Sprintf("it did not answer within %v", p.Timeout)
	case errors.Is(err, context.Canceled):
		return "the question was given up"
	case errors.Is(err, adminclient.ErrNoServer):
		return "it cannot be reached: " + err.Error()
	case errors.Is(err, adminclient.ErrNoAnswer):
		return "its answer cannot be used"
	}
	return err.Error()
}

func isTimeout(err error) bool {
	var timeout net.Error
	return errors.As(err, &timeout) && timeout.Timeout()
}

// describeRefusal explains a refusal of a peer.
func describeRefusal(e *adminclient.Error) string {
	switch e.Status {
	case http.StatusUnauthorized:
		return "it does not accept the token"
	case http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusUnprocessableEntity:
		return "it does not know the request: it is of an older release"
	}
	return fmt.Sprintf("it answered %d: %v", e.Status, e)
}
