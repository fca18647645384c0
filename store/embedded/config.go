package embedded

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/defaults"
	"popelago/store"
)

// Config is what Open needs. Only Dir must be set.
type Config struct {
	// Dir is the data folder; it is made if need be. One process may have it open.
	Dir string
	// FS is the file system, nil for the operating system's. It serves the database and the
	// content files alike.
	FS vfs.FS
	// Logger gets what happens in the background; nil for none.
	Logger *slog.Logger
	// Registerer gets the metrics popelago_embedded_*; nil for none.
	Registerer prometheus.Registerer
	// Now is the clock for removal times; nil for time.Now.
	Now func() time.Time
	// CacheSize is the memory in octets for blocks read from the database. Default 16 MiB.
	CacheSize int64
	// MemTableSize is the memory in octets that gathers writes before they become a table;
	// up to three are in use at once. Default 8 MiB.
	MemTableSize uint64
	// Reserve is the free disk space in octets below which nothing is added: AddMessages,
	// NewContent, ChangeAddress and PutDomain answer store.ErrFull. Removals go on. Default
	// 64 MiB; negative for none.
	Reserve int64
	// TidyAfter is the count of removals from one mailbox after which the gaps they leave
	// are closed, so that listing the mailbox does not pass over them. Default 10,000.
	TidyAfter int
	// StateEvery is how often the length of the newest log is written down while it grows, so
	// that a log cut short is noticed after a crash. Default 10 s.
	StateEvery time.Duration
	// SpaceEvery is how often the free space is looked at. Default 1 s.
	SpaceEvery time.Duration
	// Undelete is how long the content of removed messages is kept also where space is short.
	// Default 0.
	Undelete time.Duration
	// MaxStop is how long the server may have been off, at most: a clock that is further ahead of
	// the time when it last ran is not trusted, see store.Clocks. Default 30 days; negative: for
	// however long.
	MaxStop time.Duration
	// Settle is how long after a start a clock that is put right by NTP is followed: until then
	// nothing durable depends on it but ids. Default 15m; negative: not at all.
	Settle time.Duration
}

// Sizes that are part of the design, not of the configuration.
const (
	// inlineLimit is the largest content that is kept in the database.
	inlineLimit = 32 << 10
	// markerAge is the least age at which the engine removes the marker of a removal.
	markerAge = store.MinRemovalMemory
)

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		CacheSize:    16 << 20,
		MemTableSize: 8 << 20,
		Reserve:      64 << 20,
		TidyAfter:    10_000,
		StateEvery:   10 * time.Second,
		SpaceEvery:   time.Second,
		MaxStop:      30 * 24 * time.Hour,
		Settle:       15 * time.Minute,
	}
}

func (c *Config) setDefaults() error {
	if c.Dir == "" {
		return errors.New("embedded: no data folder given")
	}
	*c = defaults.Fill(*c, DefaultConfig())
	if c.FS == nil {
		c.FS = vfs.Default
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
