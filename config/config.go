package config

import (
	"path/filepath"
	"time"
)

// Config is all settings of a server. See the table in settings.go, or docs/configuration.md
// made from it, for the meaning, range and default of each.
type Config struct {
	Hostname        string // empty: the machine's name
	DataDir         string
	ShutdownTimeout time.Duration

	Store     Store
	Cassandra Cassandra
	POP3      POP3
	POP3S     POP3S
	SMTP      SMTP
	LMTP      SMTP
	Delivery  Delivery
	TLS       TLS
	Auth      Auth
	Tasks     Tasks
	Admin     Admin
	Metrics   Metrics
	Log       Log

	// file is the name of the file that was read; empty without one.
	file string
	// origins says where each setting that is not a default came from, by key: file:line or
	// a variable's name.
	origins map[string]string
}

// Store is the section [store].
type Store struct {
	Engine    string // EngineEmbedded, EngineCassandra
	CacheSize int64  // octets
	Reserve   int64  // octets
	// ClockSettle and MaxStop: see settings.go.
	ClockSettle time.Duration
	MaxStop     time.Duration // 0: any
}

// POP3 is the section [pop3]; all but Listen count for POP3S too.
type POP3 struct {
	Listen                   []string // each host:port; none: off
	MaxConnections           int
	MaxConnectionsPerAddress int
	MaxLine                  int64 // octets
	MaxBadCommands           int
	MaxHarmlessCommands      int
	MaxFailedLogins          int
	MaxSessionsPerAccount    int
	FailureDelay             time.Duration
	LoginTimeout             time.Duration
	DropAfter                time.Duration
	IdleTimeout              time.Duration
	OpenTimeout              time.Duration
	WriteTimeout             time.Duration
	LoginDelay               time.Duration // 0: none
}

// POP3S is the section [pop3s].
type POP3S struct {
	Listen []string // each host:port; none: off
}

// SMTP is the section [smtp] or [lmtp].
type SMTP struct {
	Listen                   []string // each host:port, for LMTP also unix:/path; none: off
	MaxConnections           int
	MaxConnectionsPerAddress int
	MaxLine                  int64 // octets
	MaxBadCommands           int
	MaxRecipients            int
	MaxRefusedRecipients     int // 0: no limit
	MaxHarmlessCommands      int // 0: no limit
	DropAfter                time.Duration
	CommandTimeout           time.Duration
	BodyTimeout              time.Duration
	MinBodyRate              int64 // octets a second; 0: no limit
	WriteTimeout             time.Duration
	BareLF                   string // BareLFRefuse or BareLFNormalize
}

// What a bare LF in the text of a message means.
const (
	BareLFRefuse    = "refuse"
	BareLFNormalize = "normalize"
)

// Delivery is the section [delivery].
type Delivery struct {
	MaxMessageSize int64 // octets
	MaxReceived    int
	// MaxUnfinished and MaxUnfinishedPerNetwork are in percent of the free disk space.
	MaxUnfinished           int
	MaxUnfinishedPerNetwork int
	Postmaster              string // address; empty: none
	LedgerSize              int    // recipients
	LedgerKeep              time.Duration
	LedgerPoll              time.Duration
}

// TLS is the section [tls].
type TLS struct {
	Certificate, Key string // PEM files; empty: none
	SelfSigned       bool
	HandshakeTimeout time.Duration
}

// On reports whether there is a certificate to use.
func (t TLS) On() bool { return t.SelfSigned || t.Certificate != "" }

// Auth is the section [auth].
type Auth struct {
	AllowInsecureAuth         bool
	DefaultDomain             string
	MinPasswordLength         int
	CredentialCacheTTL        time.Duration // 0: no cache
	CredentialCacheSize       int
	AddressCacheTTL           time.Duration // 0: no cache
	ElsewherePerSecond        int
	ElsewhereDomainsPerSecond int
	MaxConcurrentHashes       int // 0: the number of CPUs without one
	MaxWaitingHashes          int
	PenaltyAfter              int // 0: no penalties
	PenaltyMax                time.Duration
	PenaltyHalfLife           time.Duration
	PenaltyMemory             int
	KnownFor                  time.Duration
	TrustedNetworks           []string // CIDR
	Argon2Memory              int64    // octets
	Argon2Time                int
	Argon2Threads             int
}

// Admin is the section [admin].
type Admin struct {
	Socket         string   // empty: see Config.AdminSocket
	Listen         []string // each host:port; none: off
	TokenFile      string
	MaxConnections int
}

// Metrics is the section [metrics].
type Metrics struct {
	Listen         []string // each host:port; none: off
	MaxConnections int
}

// Log is the section [log].
type Log struct {
	Level        string // debug, info, warn, error
	Format       string // text, json
	SummaryEvery time.Duration
}

// Default is what a server without any settings has. It listens nowhere.
func Default() Config {
	smtp := SMTP{
		MaxConnections:           10_000,
		MaxConnectionsPerAddress: 200,
		MaxLine:                  4 * kib,
		MaxBadCommands:           20,
		MaxRecipients:            1000,
		MaxRefusedRecipients:     100,
		MaxHarmlessCommands:      100,
		DropAfter:                3 * time.Second,
		CommandTimeout:           5 * time.Minute,
		BodyTimeout:              5 * time.Minute,
		MinBodyRate:              kib,
		WriteTimeout:             time.Minute,
		BareLF:                   BareLFRefuse,
	}
	lmtp := smtp
	// The mail server in front answers for its senders.
	lmtp.MaxRefusedRecipients, lmtp.MaxHarmlessCommands = 0, 0
	return Config{
		DataDir:         "popelago-data",
		ShutdownTimeout: 30 * time.Second,
		Store:           Store{Engine: EngineEmbedded, CacheSize: 16 * mib, Reserve: 64 * mib, ClockSettle: 15 * time.Minute, MaxStop: 30 * day},
		Cassandra:       defaultCassandra(),
		POP3: POP3{
			MaxConnections:           10_000,
			MaxConnectionsPerAddress: 200,
			MaxLine:                  8 * kib,
			MaxBadCommands:           20,
			MaxHarmlessCommands:      100,
			MaxFailedLogins:          8,
			MaxSessionsPerAccount:    32,
			FailureDelay:             200 * time.Millisecond,
			LoginTimeout:             90 * time.Second,
			DropAfter:                3 * time.Second,
			IdleTimeout:              10 * time.Minute,
			OpenTimeout:              2 * time.Minute,
			WriteTimeout:             time.Minute,
		},
		SMTP: smtp,
		LMTP: lmtp,
		Delivery: Delivery{
			MaxMessageSize: 150 * mib,
			MaxReceived:    100,
			MaxUnfinished:  50, MaxUnfinishedPerNetwork: 25,
			LedgerSize: 100_000,
			LedgerKeep: 4 * time.Hour,
			LedgerPoll: 2 * time.Second,
		},
		TLS: TLS{HandshakeTimeout: 30 * time.Second},
		Auth: Auth{
			MinPasswordLength:         8,
			CredentialCacheTTL:        5 * time.Minute,
			CredentialCacheSize:       100_000,
			AddressCacheTTL:           10 * time.Second,
			ElsewherePerSecond:        100,
			ElsewhereDomainsPerSecond: 20,
			MaxWaitingHashes:          256,
			PenaltyAfter:              10,
			PenaltyMax:                time.Minute,
			PenaltyHalfLife:           10 * time.Minute,
			PenaltyMemory:             50_000,
			KnownFor:                  7 * day,
			Argon2Memory:              19 * mib,
			Argon2Time:                2,
			Argon2Threads:             1,
		},
		Tasks:   defaultTasks(),
		Admin:   Admin{MaxConnections: 200},
		Metrics: Metrics{MaxConnections: 50},
		Log:     Log{Level: "info", Format: "text", SummaryEvery: time.Minute},
	}
}

// Dev is the settings of "serve --dev": all four protocols on unprivileged ports of this
// machine only, with a certificate made on the spot.
func Dev(dataDir string) Config {
	c := Default()
	c.Hostname = "localhost"
	c.DataDir = dataDir
	c.POP3.Listen = []string{"127.0.0.1:1110"}
	c.POP3S.Listen = []string{"127.0.0.1:1995"}
	c.SMTP.Listen = []string{"127.0.0.1:1025"}
	c.LMTP.Listen = []string{"127.0.0.1:1024"}
	// So many that the limit of open files of any machine is enough.
	c.POP3.MaxConnections, c.SMTP.MaxConnections, c.LMTP.MaxConnections = 200, 200, 200
	c.TLS.SelfSigned = true
	c.Delivery.Postmaster = "alice@example.test" // one of the accounts that are made
	return c
}

// AdminSocket is the path of the admin API's unix socket.
func (c Config) AdminSocket() string {
	if c.Admin.Socket != "" {
		return c.Admin.Socket
	}
	return filepath.Join(c.DataDir, "admin.sock")
}
