package config

import (
	"path/filepath"
	"time"

	"popelago/account"
	"popelago/console"
	"popelago/delivery"
	"popelago/ledger"
	"popelago/mail"
	"popelago/pop3server"
	"popelago/quota"
	"popelago/smtpserver"
	"popelago/store/embedded"
	"popelago/token"
	"popelago/trace"
	"popelago/visit"
	"popelago/webhook"
	"popelago/wire"
)

// Config holds all settings of a server. The table in settings.go, and docs/configuration.md made
// from the table, have the meaning, the range and the default of each setting.
//
// A setting that a package needs is a field of that package's own Config. Fields of those that no
// setting sets, such as a logger, stay empty here: package app sets them.
type Config struct {
	// ConfigVersion is the version of the defaults, see versions.go.
	ConfigVersion   int
	Hostname        string // empty: the machine's name
	DataDir         string
	ShutdownTimeout time.Duration
	DrainDelay      time.Duration
	DrainTimeout    time.Duration

	Store     Store
	Cassandra Cassandra
	POP3      POP3
	POP3S     POP3S
	SMTP      SMTP
	LMTP      SMTP
	Delivery  delivery.Config
	Ledger    ledger.Config // the section [delivery]
	Quota     quota.Config  // the section [policy]
	Visits    visit.Config  // the section [pop3]
	Trace     trace.Config  // the sections [trace] and [audit]
	Events    Events
	TLS       TLS
	Auth      Auth
	Tasks     Tasks
	Admin     Admin
	UserPage  UserPage
	Metrics   Metrics
	Log       Log

	// file is the name of the configuration file; empty without any.
	file string
	// origins holds the origin of each setting that was set, by key: file:line or the name of a
	// variable.
	origins map[string]string
}

// Store is the section [store].
type Store struct {
	Engine string // EngineEmbedded, EngineCassandra
	embedded.Config
}

// POP3 is the section [pop3]; all but Listen is in force for POP3S too.
type POP3 struct {
	Listen []string // each host:port; none: off
	pop3server.Config
}

// POP3S is the section [pop3s].
type POP3S struct {
	Listen []string // each host:port; none: off
}

// SMTP is the section [smtp] or [lmtp].
type SMTP struct {
	Listen []string // each host:port, for LMTP also unix:/path; none: off
	smtpserver.Config
	BareLF string // BareLFRefuse or BareLFNormalize
}

// Meanings of a bare LF in the text of a message.
const (
	BareLFRefuse    = "refuse"
	BareLFNormalize = "normalize"
)

// TLS is the section [tls].
type TLS struct {
	Certificate, Key string // PEM files; empty: none
	SelfSigned       bool
	HandshakeTimeout time.Duration
}

// on reports whether the server has a certificate.
func (t TLS) on() bool { return t.SelfSigned || t.Certificate != "" }

// Auth is the section [auth].
type Auth struct {
	account.Config
	AllowInsecureAuth bool
}

// Admin is the section [admin].
type Admin struct {
	Socket         string   // empty: see Config.AdminSocket
	Listen         []string // each host:port; none: off
	TokenFile      string
	Tokens         token.Config
	MaxConnections int
	// MaxConnsPerAddr bounds the connections from one address.
	MaxConnsPerAddr int
	// Advertise is the URL of the API for the peers; empty: no peer can ask.
	Advertise string
	// Peers lists the hosts that may get tokens, see admin.Peers.
	Peers        []string
	PeersPlain   bool
	PeersCA      string // PEM file; empty: the authorities of the system
	PeersTimeout time.Duration
	PeersAtOnce  int
	// Console serves the console at Listen.
	Console       bool
	ConsoleConfig console.Config
}

// Events is the section [events].
type Events struct {
	webhook.Config
	Webhooks []string // each NAME=URL
	Keys     string   // the file with the keys of the webhooks
}

// UserPage is the section [userpage].
type UserPage struct {
	Listen         []string // each host:port; none: off
	MaxConnections int
	// MaxConnsPerAddr bounds the connections from one address.
	MaxConnsPerAddr int
	Session         time.Duration // see console.Config
}

// Metrics is the section [metrics].
type Metrics struct {
	Listen         []string // each host:port; none: off
	MaxConnections int
	// MaxConnsPerAddr bounds the connections from one address.
	MaxConnsPerAddr int
}

// Log is the section [log].
type Log struct {
	Level        string // debug, info, warn, error
	Format       string // text, json
	SummaryEvery time.Duration
}

// Default returns the defaults of all settings. Most come from the package that a setting is for. A
// server with these settings listens nowhere.
func Default() Config {
	smtp := SMTP{Config: smtpserver.DefaultConfig(), BareLF: BareLFRefuse}
	smtp.MinBodyRate = kib
	lmtp := smtp
	smtp.DropSenderAfter = 30 * time.Second
	// The mail server in front answers for its senders.
	lmtp.MaxRefusedRecipients, lmtp.MaxHarmlessCommands, lmtp.DropSenderAfter = off, off, off
	c := Config{
		ConfigVersion:   latestVersion,
		DataDir:         "popelago-data",
		ShutdownTimeout: 30 * time.Second,
		DrainDelay:      5 * time.Second,
		DrainTimeout:    5 * time.Minute,
		Store:           Store{Engine: EngineEmbedded, Config: embedded.DefaultConfig()},
		Cassandra:       defaultCassandra(),
		POP3:            POP3{Config: pop3server.DefaultConfig()},
		SMTP:            smtp,
		LMTP:            lmtp,
		Delivery:        delivery.DefaultConfig(),
		Ledger:          ledger.DefaultConfig(),
		Quota:           quota.DefaultConfig(),
		Visits:          visit.DefaultConfig(),
		Trace:           trace.DefaultConfig(),
		Events:          Events{Config: webhook.DefaultConfig()},
		TLS:             TLS{HandshakeTimeout: wire.DefaultConfig().HandshakeTimeout},
		Auth:            Auth{Config: account.DefaultConfig()},
		Tasks:           defaultTasks(),
		Admin:           Admin{MaxConnections: 200, MaxConnsPerAddr: 100, PeersTimeout: 5 * time.Second, PeersAtOnce: 32, Tokens: token.DefaultConfig(), ConsoleConfig: console.DefaultConfig()},
		UserPage:        UserPage{MaxConnections: 200, MaxConnsPerAddr: 100, Session: time.Hour},
		Metrics:         Metrics{MaxConnections: 50, MaxConnsPerAddr: 25},
		Log:             Log{Level: "info", Format: "text", SummaryEvery: wire.DefaultConfig().SummaryEvery},
	}
	c.Auth.MinPasswordLength = 8
	c.Ledger.Poll = 2 * time.Second
	return c
}

// Dev returns the settings of "serve --dev": all four protocols on unprivileged ports of this machine
// only, with a self-signed certificate.
func Dev(dataDir string) Config {
	c := Default()
	c.Hostname = "localhost"
	c.DataDir = dataDir
	c.POP3.Listen = []string{"127.0.0.1:1110"}
	c.POP3S.Listen = []string{"127.0.0.1:1995"}
	c.SMTP.Listen = []string{"127.0.0.1:1025"}
	c.LMTP.Listen = []string{"127.0.0.1:1024"}
	// Few enough for the limit of open files of every machine.
	c.POP3.MaxConns, c.SMTP.MaxConns, c.LMTP.MaxConns = 200, 200, 200
	c.TLS.SelfSigned = true
	c.Delivery.Postmaster = mail.Address{Local: "alice", Domain: "example.test"} // "serve --dev" makes the account
	return c
}

// AdminSocket returns the path of the unix socket of the admin API.
func (c Config) AdminSocket() string {
	if c.Admin.Socket != "" {
		return c.Admin.Socket
	}
	return filepath.Join(c.DataDir, "admin.sock")
}
