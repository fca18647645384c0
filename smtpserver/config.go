package smtpserver

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"time"

	"popelago/defaults"
	"popelago/wire"
)

// Protocol is the protocol of a Server.
type Protocol string

// The two protocols.
const (
	SMTP Protocol = "smtp"
	LMTP Protocol = "lmtp"
)

// Config holds the settings of a Server. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// Protocol must be set.
	Protocol Protocol
	// Hostname is this host's name in the greeting and in Received lines.
	Hostname string
	// TLS is used by STARTTLS and ServeTLS. Nil: neither is offered.
	TLS *tls.Config

	// MaxRecipients limits the recipients of one message. A further RCPT is answered with 452 (RFC
	// 5321 section 4.5.3.1.10). The RFC asks for at least 100. Where MaxRefusedRecipients
	// has a limit, a session with more recipients that are refused temporarily, or for the quota, before a message is stored
	// ends, too, and so does a session with ten times as many recipients outside a transaction or beyond the limit.
	MaxRecipients int
	// MaxOpenRecipients limits the recipients of all transactions in progress together, since each takes about 350 octets. The
	// first freeRecipients of a transaction are accepted in any case; further ones are answered with 452. Negative: no limit.
	MaxOpenRecipients int
	// MaxBadCommands limits the unknown or malformed commands of a session. A further bad command
	// ends the session.
	MaxBadCommands int
	// MaxRefusedRecipients limits the recipients that are refused permanently before a message is
	// stored. A further refused recipient ends the session, since the client is guessing addresses
	// (RFC 5321 section 7.3). Negative: no limit.
	MaxRefusedRecipients int
	// MaxHarmlessCommands limits the commands of a session before a message is stored, not counting
	// recipients and texts. A further harmless command ends the session. Negative: no limit.
	MaxHarmlessCommands int

	// NormalizeLF treats a bare LF in a text as a line end, which is stored as CRLF. False: a text
	// with a bare LF is refused. In either case the end of a text is CRLF "." CRLF, and a command
	// line ends in CRLF.
	NormalizeLF bool

	// MaxConns and MaxConnsPerAddr limit connections, see wire.Config.
	MaxConns, MaxConnsPerAddr int
	// CountLocal applies MaxConnsPerAddr to clients on this machine too.
	CountLocal bool
	// ProxyNetworks: see wire.Config.
	ProxyNetworks []netip.Prefix
	// DropAfter, MinBodyRate and SummaryEvery: see wire.Config. A client is known from its first
	// accepted recipient on.
	DropAfter time.Duration
	// DropSenderAfter is the time without a stored message, or a mebibyte of one, after which a new connection may displace a
	// known client, see wire.Config.DropKnownAfter. Zero or less: never.
	DropSenderAfter time.Duration
	MinBodyRate     int64
	SummaryEvery    time.Duration
	// MaxLine limits a command line in octets. RFC 5321 section 4.5.3.1.4 asks for 512, and more for
	// each extension. The lines of a text have no limit.
	MaxLine int
	// IdleTimeout limits the wait for a command. RFC 5321 section 4.5.3.2.7 asks for at least 5
	// minutes.
	IdleTimeout time.Duration
	// BodyTimeout limits the wait for each 16 KiB of a text. Section 4.5.3.2.5 asks for at least 3
	// minutes.
	BodyTimeout time.Duration
	// WriteTimeout, HandshakeTimeout and AcknowledgementTimeout: see wire.Config.
	WriteTimeout, HandshakeTimeout, AcknowledgementTimeout time.Duration

	// Connections counts the connections of all protocols of a process. Nil: not counted.
	Connections *wire.Metrics
	// Logger receives a line for each message, and events for the operator. Nil: none.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	w := wire.DefaultConfig()
	return Config{
		Hostname:             "localhost",
		MaxRecipients:        1000,
		MaxOpenRecipients:    200_000,
		MaxBadCommands:       20,
		MaxRefusedRecipients: 100,
		MaxHarmlessCommands:  100,
		MaxConns:             w.MaxConns,
		MaxConnsPerAddr:      w.MaxConnsPerAddr,
		DropAfter:            w.DropAfter,
		SummaryEvery:         w.SummaryEvery,
		MaxLine:              w.MaxLine,
		IdleTimeout:          5 * time.Minute,
		BodyTimeout:          w.BodyTimeout,
		WriteTimeout:         w.WriteTimeout,
		HandshakeTimeout:     w.HandshakeTimeout,

		AcknowledgementTimeout: w.AcknowledgementTimeout,
	}
}

func (c *Config) setDefaults() error {
	if c.Protocol != SMTP && c.Protocol != LMTP {
		return fmt.Errorf("smtpserver: %q is not a protocol", c.Protocol)
	}
	*c = defaults.Fill(*c, DefaultConfig())
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return nil
}
