package pop3server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"popelago/wire"
)

// Config holds the settings of a Server. The zero value of each field means its default.
type Config struct {
	// Banner is the text of the greeting. Default "POP3 server ready". It must be printable
	// ASCII without "<": clients take <...@...> as an offer of APOP (RFC 1939 section 7).
	Banner string
	// Implementation is what CAPA tells about this server (RFC 2449 section 6.9). Default:
	// nothing.
	Implementation string

	// TLS is used for STLS and ServeTLS. Default: neither.
	TLS *tls.Config
	// AllowInsecureAuth allows logins without TLS also from other machines.
	AllowInsecureAuth bool

	// LoginDelay is the least time between two logins to one maildrop on this server, told
	// in CAPA (RFC 2449 section 6.5), in whole seconds. Default: none.
	LoginDelay time.Duration

	// MaxConns, MaxConnsPerAddr and CountLocal are those of wire.Config. Serve and ServeTLS have
	// limits of their own.
	MaxConns        int
	MaxConnsPerAddr int
	CountLocal      bool
	// MaxLine limits a command line in octets. Default 8,192: RFC 2449 section 4 asks for 255
	// at least, and a password may be long. SASL responses may always have 12,288 (RFC 5034
	// section 4).
	MaxLine int
	// MaxBadCommands is how many unknown, malformed or misplaced commands a session may
	// send; the next one ends it. Default 20.
	MaxBadCommands int
	// MaxHarmlessCommands is how many commands in a row that neither log in nor ask for a message
	// a session may send. A further one ends a session that has not logged in; after login it
	// is answered a second later. Default 100.
	MaxHarmlessCommands int
	// MaxSessionsPerAccount limits the sessions of one account on this server at one time.
	// Default 32.
	MaxSessionsPerAccount int
	// MaxFailedLogins is the failed login that ends a session. Default 8: clients try PLAIN,
	// LOGIN and USER on one connection.
	MaxFailedLogins int
	// FailureDelay is how long the answer to the first failed login of a session waits; it
	// doubles with each further one up to 16 times as much. Default 200ms; negative: none.
	FailureDelay time.Duration

	// LoginTimeout ends a session that has not logged in after this time. Default 90s; negative:
	// no limit.
	LoginTimeout time.Duration
	// DropAfter is that of wire.Config.
	DropAfter time.Duration
	// IdleTimeout ends a session that sends no whole command for this long. Default 10m, and
	// it should not be less (RFC 1939 section 3).
	IdleTimeout time.Duration
	// WriteTimeout limits the time the client may take for each 32 KiB. Default 1m.
	WriteTimeout time.Duration
	// HandshakeTimeout limits a TLS handshake. Default 30s.
	HandshakeTimeout time.Duration
	// OpenTimeout limits the reading of a maildrop's list at login, page after page; beyond it the
	// login is answered [SYS/TEMP]. Default 2m.
	OpenTimeout time.Duration
	// CommitTimeout limits the removal at QUIT, with its repetitions. Shutdown waits for it
	// even after its own context has ended. Default 1m.
	CommitTimeout time.Duration

	// SummaryEvery is that of wire.Config.
	SummaryEvery time.Duration
	// Connections counts connections; one serves all protocols. Default: not counted.
	Connections *wire.Metrics
	// Now tells the time that maildrops go by. Default time.Now.
	Now func() time.Time
	// Logger takes one line for each session and each failure. Default: nothing is logged.
	Logger *slog.Logger
}

// maxSASL is the longest line of a SASL exchange in octets, RFC 5034 section 4.
const maxSASL = 12288

func (c *Config) setDefaults() error {
	if c.Banner == "" {
		c.Banner = "POP3 server ready"
	}
	setDefault(&c.MaxLine, 8192)
	setDefault(&c.MaxBadCommands, 20)
	setDefault(&c.MaxHarmlessCommands, 100)
	setDefault(&c.LoginTimeout, 90*time.Second)
	c.LoginTimeout = max(c.LoginTimeout, 0)
	setDefault(&c.MaxFailedLogins, 8)
	setDefault(&c.MaxSessionsPerAccount, 32)
	setDefault(&c.FailureDelay, 200*time.Millisecond)
	setDefault(&c.OpenTimeout, 2*time.Minute)
	setDefault(&c.CommitTimeout, time.Minute)
	c.MaxLine = min(c.MaxLine, wire.MaxLineLimit)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch {
	case !printable(c.Banner) || strings.Contains(c.Banner, "<") || len(c.Banner) > 400:
		return fmt.Errorf("pop3server: banner %q must be up to 400 printable ASCII characters without <", c.Banner)
	case !printable(c.Implementation) || len(c.Implementation) > 400:
		return fmt.Errorf("pop3server: implementation %q must be up to 400 printable ASCII characters", c.Implementation)
	case c.LoginDelay < 0:
		return fmt.Errorf("pop3server: login delay of %v", c.LoginDelay)
	}
	return nil
}

func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

func setDefault[T int | time.Duration](p *T, d T) {
	if *p == 0 {
		*p = d
	}
}
