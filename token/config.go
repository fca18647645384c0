package token

import (
	"log/slog"
	"time"

	"popelago/defaults"
)

// Config holds the settings of a Keeper. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// CacheTTL is the time for which a server uses its copy of the tokens, and so the delay after which
	// a revocation by another server counts at the latest.
	CacheTTL time.Duration
	// Stale is the additional time for which known tokens count while the store cannot be read.
	// Negative: none.
	Stale time.Duration
	// UsedEvery is the least time between two notes about the use of a token.
	UsedEvery time.Duration
	// MaxTokens is the largest number of tokens in force: neither revoked nor expired.
	MaxTokens int
	// WrongTokens is the number of wrong tokens that an address (IPv6: a /64) may send at once. Each
	// wrong token is forgotten after WrongTokenMemory.
	WrongTokens int

	// CountLocal limits wrong tokens from loopback addresses too.
	CountLocal bool
	// Now returns the time. Default time.Now.
	Now func() time.Time
	// Logger receives messages for the operator. Default: no log.
	Logger *slog.Logger
}

// WrongTokenMemory is the time in which an address may send one more wrong token.
const WrongTokenMemory = 10 * time.Second

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		CacheTTL:    5 * time.Second,
		Stale:       time.Minute,
		UsedEvery:   10 * time.Minute,
		MaxTokens:   1000,
		WrongTokens: 10,
	}
}

func (c Config) withDefaults() Config {
	c = defaults.Fill(c, DefaultConfig())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}
