package account

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/singleflight"
	"golang.org/x/time/rate"

	"popelago/cache"
	"popelago/defaults"
	"popelago/mail"
	"popelago/store"
)

// Config holds the settings of a Directory. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// DefaultDomain completes a login name without "@"; empty: such logins fail.
	DefaultDomain string

	// CacheTTL is the time for which address and domain rows are cached, and so the delay after which
	// this process notices changes of other processes at the latest. Negative: no cache.
	CacheTTL time.Duration
	// CacheSize is the largest number of address rows cached.
	CacheSize int

	// CredentialTTL is the time after its last use for which a verified password is remembered.
	// Negative: every login pays for its hash.
	CredentialTTL time.Duration
	// CredentialCacheSize is the largest number of verified passwords remembered, about 200
	// octets each.
	CredentialCacheSize int

	// MaxConcurrentHashes bounds the password hashes computed at one time, and so their
	// memory: Argon2Memory each. Default: the number of CPUs that Go uses without one, divided
	// by Argon2Threads, but at least 1.
	MaxConcurrentHashes int
	// MaxWaitingHashes is the largest number of logins that wait for a hash.
	MaxWaitingHashes int
	// Argon2Memory is the memory of one argon2id hash in KiB.
	Argon2Memory uint32
	// Argon2Time is the number of argon2id passes.
	Argon2Time int
	// Argon2Threads is the argon2id parallelism.
	Argon2Threads int

	// PenaltyAfter is the number of failed logins from one address without a penalty; a
	// network (IPv4: /24, IPv6: /48) has five times as many, an IPv6 /32 twenty-five times.
	// Negative: no penalties.
	PenaltyAfter int
	// PenaltyMax is the longest pause between two logins from a place with a penalty.
	PenaltyMax time.Duration
	// PenaltyHalfLife is the time in which half of the failures are forgotten.
	PenaltyHalfLife time.Duration
	// PenaltyMemory is the largest number of addresses, of networks, of accounts with network
	// and of known places remembered, each up to 300 octets.
	PenaltyMemory int
	// KnownFor is the time after a login for which the account may log in from the same address
	// despite the penalties of the address and its network.
	KnownFor time.Duration
	// TrustedNetworks have no penalties: proxies, webmail.
	TrustedNetworks []netip.Prefix
	// CountLocal gives penalties to loopback addresses too.
	CountLocal bool

	// Durability of mail, removals and changes in domains that have none of their own.
	Durability mail.Durability
	// Policy counts for accounts without settings of their own in domains without settings of their own.
	// Policy.Durability and Policy.Retention have no effect.
	Policy Policy

	// ElsewherePerSecond limits the addresses looked up in the other datacenters in each second:
	// unknown or disabled here, or with a password that does not fit.
	ElsewherePerSecond int
	// ElsewhereDomainsPerSecond limits the domains, not hosted here, looked up in the other
	// datacenters in each second.
	ElsewhereDomainsPerSecond int

	// MaxAliasDepth limits the aliases and groups on the way from an address to an account.
	MaxAliasDepth int
	// MaxAliasAccounts limits the accounts that an address leads to.
	MaxAliasAccounts int

	// MinPasswordLength is the fewest characters of a new password.
	MinPasswordLength int

	// Now returns the time. Default time.Now.
	Now func() time.Time
	// IDs makes the ids of removals. Default: a new source.
	IDs *mail.IDSource
	// Logger receives messages for the operator. Default: no log.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		CacheTTL:                  10 * time.Second,
		CacheSize:                 100_000,
		CredentialTTL:             5 * time.Minute,
		CredentialCacheSize:       100_000,
		MaxWaitingHashes:          256,
		Argon2Memory:              19 * 1024,
		Argon2Time:                2,
		Argon2Threads:             1,
		PenaltyAfter:              10,
		PenaltyMax:                time.Minute,
		PenaltyHalfLife:           10 * time.Minute,
		PenaltyMemory:             50_000,
		KnownFor:                  7 * 24 * time.Hour,
		ElsewherePerSecond:        100,
		ElsewhereDomainsPerSecond: 20,
		MaxAliasDepth:             10,
		MaxAliasAccounts:          1000,
		MinPasswordLength:         1,
		Policy:                    DefaultPolicy(),
	}
}

func (c Config) withDefaults() Config {
	c = defaults.Fill(c, DefaultConfig())
	if c.MaxConcurrentHashes <= 0 {
		c.MaxConcurrentHashes = max(1, (runtime.GOMAXPROCS(0)-1)/c.Argon2Threads)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.IDs == nil {
		c.IDs = mail.NewIDSource(c.Now)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// Directory resolves addresses, checks logins and changes domains and accounts. Safe for concurrent
// use. A Directory needs no Close.
type Directory struct {
	cfg   Config
	store store.Levels[store.Directory]

	addresses   *ttlCache[mail.Address, *entry]
	domainCache *ttlCache[string, store.Domain]
	absent      *ttlCache[string, struct{}]           // domains that no datacenter hosts
	missing     *ttlCache[mail.Address, struct{}]     // addresses without a row that another rule may find
	ended       cache.Cache[mail.MailboxID, struct{}] // see Ended
	verified    *credentialCache
	passwords   *passwords
	penalties   *penalties
	metrics     *metrics
	busyLog     rate.Sometimes
	// misdirectedLog limits the messages about mistakes in the directory.
	misdirectedLog rate.Sometimes
	// unaskedLog limits the messages about addresses that are made without an answer of another datacenter.
	unaskedLog rate.Sometimes
	least      leastRetention
	looks      singleflight.Group // see Readable
	// settingsByName is read only.
	settingsByName map[string]Setting

	// Limits of questions to the other datacenters, about addresses and about domains.
	elsewhere, elsewhereDomains *rate.Limiter
	// silent holds the time of the last question of rowsElsewhere without an answer; nil: none.
	silent atomic.Pointer[time.Time]

	// changes is held by a change from its read of the rows to its write. Changes of different
	// processes are not ordered: the package comment on generations says why two processes that add
	// the same address at once agree.
	changes store.Turn
}

// New makes a Directory on st and registers its metrics with reg (nil: the metrics stay
// unregistered).
func New(cfg Config, st store.Levels[store.Directory], reg prometheus.Registerer) (*Directory, error) {
	cfg = cfg.withDefaults()
	if cfg.DefaultDomain != "" {
		domain, err := mail.CanonicalDomain(cfg.DefaultDomain)
		if err != nil {
			return nil, fmt.Errorf("account: default domain: %w", err)
		}
		cfg.DefaultDomain = domain
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("account: metrics: %w", err)
	}
	p, err := newPasswords(cfg, m)
	if err != nil {
		return nil, fmt.Errorf("account: passwords: %w", err)
	}
	return &Directory{
		cfg: cfg, store: st, settingsByName: byName(),
		addresses:   newTTLCache[mail.Address, *entry](cfg.CacheSize, cfg.CacheTTL),
		domainCache: newTTLCache[string, store.Domain](cfg.CacheSize, cfg.CacheTTL),
		absent:      newTTLCache[string, struct{}](min(cfg.CacheSize, absentSize), cfg.CacheTTL),
		missing:     newTTLCache[mail.Address, struct{}](cfg.CacheSize, cfg.CacheTTL),
		ended:       cache.New[mail.MailboxID, struct{}](endedSize),
		verified:    newCredentialCache(cfg.CredentialCacheSize, cfg.CredentialTTL),
		passwords:   p, metrics: m,
		changes: store.NewTurn(), least: leastRetention{turn: store.NewTurn()},
		penalties: newPenalties(cfg, m), busyLog: rate.Sometimes{First: 1, Interval: time.Minute},
		misdirectedLog:   rate.Sometimes{First: 1, Interval: time.Minute},
		unaskedLog:       rate.Sometimes{First: 1, Interval: time.Minute},
		elsewhere:        rate.NewLimiter(rate.Limit(cfg.ElsewherePerSecond), cfg.ElsewherePerSecond),
		elsewhereDomains: rate.NewLimiter(rate.Limit(cfg.ElsewhereDomainsPerSecond), cfg.ElsewhereDomainsPerSecond),
	}, nil
}
