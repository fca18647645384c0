package wire

import (
	"context"
	"log/slog"
	"net/netip"
	"time"

	"popelago/defaults"
)

// Config holds the settings of a Server. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// Protocol names the server in logs and metrics: "pop3", "smtp", "lmtp".
	Protocol string

	// Handle serves one connection and returns at the end of the session. ctx ends when the server
	// closes the connection by force. The server flushes and closes the connection afterwards.
	Handle func(ctx context.Context, c *Conn)
	// Refuse returns the line, with CRLF, for a connection that is refused because of
	// ErrTooManyConns, ErrTooManyConnsPerAddr or ErrStopping. Never used on implicit TLS.
	Refuse func(reason error) string

	// MaxConns limits connections at the same time.
	MaxConns int
	// DropAfter is the least age of a connection that may be dropped for a new one while MaxConns are
	// open. The client must not be known (Conn.Known); the oldest connection is dropped first.
	// Negative: the new connection is refused.
	DropAfter time.Duration
	// DropKnownAfter is the least time since Conn.Known, Conn.Progressed or the last mebibyte of a text after which a known
	// client may be dropped, too: while MaxConns are open and DropAfter permits nothing, for a new connection of a network
	// (IPv4 /24, IPv6 /48) that has fewer connections than the known clients of the client's network are, or
	// of an IPv6 region (/32) likewise. The client must be waited for. Clients on this machine are never dropped. Zero or
	// less: no known client is dropped.
	DropKnownAfter time.Duration
	// LoginTimeout limits the time from the begin of a connection until the client is known
	// (Conn.Known), including the TLS handshake. Zero: no limit.
	LoginTimeout time.Duration
	// MaxConnsPerAddr limits the connections from one address (IPv6: one /64). Clients on this
	// machine (Conn.Local) are not counted.
	MaxConnsPerAddr int
	// CountLocal applies MaxConnsPerAddr to clients on this machine too.
	CountLocal bool
	// ProxyNetworks are networks of proxies. Each of their connections must begin with a header of the
	// PROXY protocol, version 1 or 2, which names the client. A connection from elsewhere has no header.
	ProxyNetworks []netip.Prefix

	// MaxLine limits a command line in octets, without its line end. The maximum is 32,766.
	MaxLine int
	// StrictLineEnd refuses command lines that end in LF without CR.
	StrictLineEnd bool

	// IdleTimeout limits the wait for a whole command line.
	IdleTimeout time.Duration
	// BodyTimeout limits the wait for each 16 KiB of a text (or all of a shorter text).
	BodyTimeout time.Duration
	// MinBodyRate is the least average rate of a text in octets a second, after BodyTimeout. Zero:
	// no limit.
	MinBodyRate int64
	// WriteTimeout limits the time the peer may take to receive each 32 KiB of output.
	WriteTimeout time.Duration
	// HandshakeTimeout limits a TLS handshake, and the wait for the header of a proxy.
	HandshakeTimeout time.Duration
	// AcknowledgementTimeout limits the wait of Conn.AwaitAcknowledgement for the peer's system.
	AcknowledgementTimeout time.Duration

	// SummaryEvery is the interval of the summaries of events that strangers can cause without limit:
	// connections refused or dropped, failed TLS handshakes.
	SummaryEvery time.Duration

	Logger  *slog.Logger // nil: none
	Metrics *Metrics     // nil: none
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		MaxConns:         10_000,
		DropAfter:        3 * time.Second,
		MaxConnsPerAddr:  200,
		MaxLine:          4096,
		IdleTimeout:      10 * time.Minute,
		BodyTimeout:      5 * time.Minute,
		WriteTimeout:     time.Minute,
		HandshakeTimeout: 30 * time.Second,
		SummaryEvery:     time.Minute,

		AcknowledgementTimeout: 2 * time.Second,
	}
}

func (cfg *Config) setDefaults() {
	*cfg = defaults.Fill(*cfg, DefaultConfig())
	cfg.MaxLine = min(cfg.MaxLine, maxLineLimit)
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	if cfg.Metrics == nil {
		cfg.Metrics = NewMetrics(nil)
	}
}
