package embedded

import (
	"errors"
	"log/slog"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"

	"popelago/defaults"
	"popelago/store"
	"popelago/store/codec"
)

// Config holds the settings of Open. Only Dir must be set. The zero value of a field means its
// default, see DefaultConfig.
type Config struct {
	// Dir is the data folder. A missing folder is made. One process may have the folder open.
	Dir string
	// FS is the file system of the database and of the content files; nil for the operating system.
	FS vfs.FS
	// Logger receives the log of background work; nil for none.
	Logger *slog.Logger
	// Registerer receives the metrics popelago_embedded_*; nil for none.
	Registerer prometheus.Registerer
	// Now is the clock for removal times; nil for time.Now.
	Now func() time.Time
	// Synchronized reports whether NTP keeps the clock at present; nil: nobody knows. See Synchronized.
	Synchronized func() bool
	// CacheSize is the memory in octets for blocks read from the database.
	CacheSize int64
	// MemTableSize is the memory in octets that gathers writes before they become a table; up to
	// three are in use at once.
	MemTableSize uint64
	// Reserve is the free disk space in octets below which nothing is added: AddMessages, NewContent,
	// ChangeAddress and PutDomain answer store.ErrFull. Removals go on. Negative for none.
	Reserve int64
	// TidyAfter is the count of removals from one mailbox after which its tombstones are compacted
	// away, so that listing the mailbox does not read them.
	TidyAfter int
	// StateEvery is the interval at which the length of the growing log is recorded, so that a
	// truncated log is noticed after a crash.
	StateEvery time.Duration
	// SpaceEvery is the interval between looks at the free space.
	SpaceEvery time.Duration
	// Compression is the method for new contents, codec.MethodZstd or codec.MethodNone. Contents written
	// with either method are read with both.
	Compression string
	// Undelete is the time to keep the content of removed messages, although space is short, or a clock that is
	// not settled says that the time is over. Zero: the content may go at once.
	Undelete time.Duration
	// MaxStop is the longest stop of the server. A clock further ahead of the time when the server
	// last ran is not trusted, see store.Clocks. Negative: no limit.
	MaxStop time.Duration
	// Settle is the time after a start in which a clock corrected by NTP is followed. Until then only
	// ids depend on the clock durably. Negative: never.
	Settle time.Duration
}

// Sizes that are part of the design, not of the configuration.
const (
	// inlineLimit is the largest content in the database, in octets as stored.
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
		Compression:  codec.MethodZstd,
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
	if c.Synchronized == nil {
		c.Synchronized = func() bool { return false }
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return nil
}
