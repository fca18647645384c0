package pop3server

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"time"

	"popelago/account"
	"popelago/defaults"
	"popelago/event"
	"popelago/mail"
	"popelago/wire"
)

// Config holds the settings of a Server. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// Banner is the text of the greeting. The text must be printable ASCII without "<": clients treat
	// <...@...> as an offer of APOP (RFC 1939 section 7).
	Banner string
	// Implementation is the argument of IMPLEMENTATION in CAPA (RFC 2449 section 6.9). Empty: no
	// IMPLEMENTATION.
	Implementation string

	// TLS is used by STLS and ServeTLS. Nil: neither is offered.
	TLS *tls.Config
	// AllowInsecureAuth allows logins without TLS also from other machines.
	AllowInsecureAuth bool

	// LoginDelay is the least time between two logins to one maildrop on this server. CAPA announces
	// the delay in whole seconds (RFC 2449 section 6.5). Zero: no delay.
	LoginDelay time.Duration

	// MaxConns, MaxConnsPerAddr and CountLocal: see wire.Config. Serve and ServeTLS have limits of
	// their own.
	MaxConns        int
	MaxConnsPerAddr int
	CountLocal      bool
	// ProxyNetworks: see wire.Config.
	ProxyNetworks []netip.Prefix
	// MaxLine limits a command line in octets. RFC 2449 section 4 asks for at least 255, and a
	// password may be long. SASL responses may always have 12,288 octets (RFC 5034 section 4).
	MaxLine int
	// MaxBadCommands limits the unknown, malformed or misplaced commands of a session. A further bad
	// command ends the session.
	MaxBadCommands int
	// MaxHarmlessCommands limits the commands in a row that neither log in nor ask for a message. A
	// further harmless command ends a session that has not logged in; after login the response comes
	// a second later. The number also limits the logins of a session that fail by a fault of the server.
	MaxHarmlessCommands int
	// MaxSessionsPerAccount limits the sessions of one account on this server at one time.
	MaxSessionsPerAccount int
	// MaxFailedLogins is the count of failed logins after which the session is closed. Mail programs
	// try PLAIN, LOGIN and USER on one connection.
	MaxFailedLogins int
	// FailureDelay delays the response to the first failed login of a session. The delay doubles with
	// each further failed login, up to 16 times FailureDelay. Negative: no delay.
	FailureDelay time.Duration

	// ReadAhead is the most messages of a session that are read before the session reaches their RETR or TOP,
	// while the client has sent these commands already. Negative: none.
	ReadAhead int

	// LoginTimeout limits the time from the begin of a connection to the login. Negative: no limit.
	LoginTimeout time.Duration
	// DropAfter: see wire.Config.
	DropAfter time.Duration
	// IdleTimeout limits the wait for a whole command. RFC 1939 section 3 asks for at least 10m.
	IdleTimeout time.Duration
	// WriteTimeout limits the time the client may take to receive each 32 KiB.
	WriteTimeout time.Duration
	// HandshakeTimeout limits a TLS handshake.
	HandshakeTimeout time.Duration
	// OpenTimeout limits the time to read all pages of a maildrop's list at login. Beyond the limit
	// the login is answered with [SYS/TEMP].
	OpenTimeout time.Duration
	// CommitTimeout limits the removal at QUIT, including retries. Shutdown waits for the removal
	// even after the context of Shutdown has ended.
	CommitTimeout time.Duration

	// SummaryEvery: see wire.Config.
	SummaryEvery time.Duration
	// Connections counts the connections of all protocols of a process. Nil: not counted.
	Connections *wire.Metrics
	// Removed is called after a session has removed messages from a maildrop. Nil: no call.
	Removed func(mailbox mail.MailboxID, messages int, octets int64)
	// LoggedIn is called after each successful login. Nil: no call. LoggedIn must not wait.
	LoggedIn func(account.Login)
	// Retrieved is called at the end of a session of an account with a retention after retrieval, with all
	// messages retrieved whole and not removed in the session. Nil: no call. Retrieved must not wait.
	Retrieved func(account.Login, []mail.MessageID)
	// Events gets an event for each login, and for each message retrieved or removed. Nil: none.
	Events event.Listener
	// Required makes each login and each RETR wait for the record of its event, which Events does not get.
	// Without the record the response is [SYS/TEMP]. Nil: nothing waits.
	Required event.Recorder
	// Now is the clock of retention. Nil: time.Now.
	Now func() time.Time
	// Logger receives a line for each session and each failure. Nil: none.
	Logger *slog.Logger
}

// maxSASL is the longest line of a SASL exchange in octets, RFC 5034 section 4.
const maxSASL = 12288

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	w := wire.DefaultConfig()
	return Config{
		Banner:                "POP3 server ready",
		MaxConns:              w.MaxConns,
		MaxConnsPerAddr:       w.MaxConnsPerAddr,
		MaxLine:               8192,
		MaxBadCommands:        20,
		MaxHarmlessCommands:   100,
		MaxSessionsPerAccount: 32,
		MaxFailedLogins:       8,
		FailureDelay:          200 * time.Millisecond,
		ReadAhead:             4,
		LoginTimeout:          90 * time.Second,
		DropAfter:             w.DropAfter,
		IdleTimeout:           w.IdleTimeout,
		WriteTimeout:          w.WriteTimeout,
		HandshakeTimeout:      w.HandshakeTimeout,
		OpenTimeout:           2 * time.Minute,
		CommitTimeout:         time.Minute,
		SummaryEvery:          w.SummaryEvery,
	}
}

func (c *Config) setDefaults() error {
	*c = defaults.Fill(*c, DefaultConfig())
	c.LoginTimeout = max(c.LoginTimeout, 0)
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
