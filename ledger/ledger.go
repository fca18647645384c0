package ledger

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/defaults"
	"popelago/store"
)

// Config holds the settings of a Ledger. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// Size limits the number of recipients in the attempts that the ledger remembers.
	Size int
	// Keep is the time after which an attempt expires.
	Keep time.Duration
	// Poll is the interval at which the ledger reads the attempts of the other servers that share
	// the store. Zero: no other server shares the store, and the ledger keeps its attempts in memory.
	Poll time.Duration
	// Window is the in-flight window of the store: background work leaves younger ids alone.
	Window time.Duration

	// Now returns the time. Nil: time.Now.
	Now func() time.Time
	// Logger receives messages for the operator. Nil: no log.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{Size: 100_000, Keep: 4 * time.Hour, Window: store.DefaultWindow}
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

// Ledger recognizes repeated deliveries. Safe for concurrent use.
type Ledger struct {
	cfg      Config
	mail     store.Levels[store.Mail]
	attempts store.Levels[store.Ledger]
	metrics  *metrics
	memory   *memory
	exchange exchange
}

// New makes a Ledger and registers its metrics with reg (nil: the metrics stay unregistered). A
// Ledger with Config.Poll needs Start and Close.
func New(cfg Config, st store.Store, reg prometheus.Registerer) (*Ledger, error) {
	cfg = cfg.withDefaults()
	l := &Ledger{cfg: cfg, mail: st.Mail, attempts: st.Ledger, memory: newMemory(cfg.Size, cfg.Poll > 0), exchange: exchange{turn: store.NewTurn()}}
	var err error
	if l.metrics, err = newMetrics(reg, l.memory.count); err != nil {
		return nil, fmt.Errorf("ledger: metrics: %w", err)
	}
	return l, nil
}

// shared reports whether other servers share the ledger through the store.
func (l *Ledger) shared() bool { return l.cfg.Poll > 0 }
