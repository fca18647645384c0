package account

import (
	"fmt"
	"log/slog"
	"net/netip"
	"runtime"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"popelago/mail"
	"popelago/store"
)

// Config holds the settings of a Directory. The zero value of each field means its default.
type Config struct {
	// DefaultDomain completes a login that has no "@"; empty: such logins fail.
	DefaultDomain string

	// CacheTTL is how long an address row is believed without reading it again: how late
	// this process may notice what another one changed. Default 10s; negative: no cache.
	CacheTTL time.Duration
	// CacheSize is the largest number of address rows cached. Default 100,000.
	CacheSize int

	// CredentialTTL is how long a verified password is remembered after its last use. Default
	// 5m; negative: every login pays for its hash.
	CredentialTTL time.Duration
	// CredentialCacheSize is the largest number of verified passwords remembered, about 200
	// octets each. Default 100,000.
	CredentialCacheSize int

	// MaxConcurrentHashes bounds the password hashes computed at one time, and so their
	// memory: Argon2Memory each. Default: the number of CPUs that Go uses without one, divided
	// by Argon2Threads, but at least 1.
	MaxConcurrentHashes int
	// MaxWaitingHashes is the largest number of logins that wait for a hash. Default 256.
	MaxWaitingHashes int
	// Argon2Memory is the memory of one argon2id hash in KiB. Default 19,456 (19 MiB).
	Argon2Memory uint32
	// Argon2Time is the number of argon2id passes. Default 2.
	Argon2Time int
	// Argon2Threads is the argon2id parallelism. Default 1.
	Argon2Threads int

	// PenaltyAfter is the number of failed logins from one address without a penalty; a
	// network (IPv4: /24, IPv6: /48) has five times as many, an IPv6 /32 twenty-five times.
	// Default 10; negative: no penalties.
	PenaltyAfter int
	// PenaltyMax is the longest pause between two logins from a place with a penalty. Default
	// 1m.
	PenaltyMax time.Duration
	// PenaltyHalfLife is the time in which half of the failures are forgotten. Default 10m.
	PenaltyHalfLife time.Duration
	// PenaltyMemory is the largest number of addresses, of networks, of accounts with network
	// and of known places remembered, each up to 300 octets. Default 50,000.
	PenaltyMemory int
	// KnownFor is how long after a login the account may log in from the same address
	// whatever penalty others have brought on the address and its network. Default 7 days.
	KnownFor time.Duration
	// TrustedNetworks have no penalties: proxies, webmail.
	TrustedNetworks []netip.Prefix
	// CountLocal gives penalties to loopback addresses too.
	CountLocal bool

	// Durability is what mail, removals and changes have to reach in domains that say
	// nothing about it.
	Durability mail.Durability

	// ElsewherePerSecond is how many addresses that are not known here, or disabled, or whose
	// password does not fit, are looked up in the other datacenters in each second. Default 100.
	ElsewherePerSecond int
	// ElsewhereDomainsPerSecond is how many domains that are not hosted here are looked up in
	// the other datacenters in each second. Default 20.
	ElsewhereDomainsPerSecond int

	// MinPasswordLength is the fewest characters of a new password. Default 1.
	MinPasswordLength int

	// Now tells the time. Default time.Now.
	Now func() time.Time
	// IDs makes the ids of removals. Default: a source of its own.
	IDs *mail.IDSource
	// Logger takes what an operator should know. Default: nothing is logged.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.CacheTTL == 0 {
		c.CacheTTL = 10 * time.Second
	}
	if c.CacheSize <= 0 {
		c.CacheSize = 100_000
	}
	if c.CredentialTTL == 0 {
		c.CredentialTTL = 5 * time.Minute
	}
	if c.CredentialCacheSize <= 0 {
		c.CredentialCacheSize = 100_000
	}
	if c.Argon2Memory == 0 {
		c.Argon2Memory = 19 * 1024
	}
	if c.Argon2Time <= 0 {
		c.Argon2Time = 2
	}
	if c.Argon2Threads <= 0 {
		c.Argon2Threads = 1
	}
	if c.MaxConcurrentHashes <= 0 {
		c.MaxConcurrentHashes = max(1, (runtime.GOMAXPROCS(0)-1)/c.Argon2Threads)
	}
	if c.MaxWaitingHashes <= 0 {
		c.MaxWaitingHashes = 256
	}
	if c.PenaltyAfter == 0 {
		c.PenaltyAfter = 10
	}
	if c.PenaltyMax <= 0 {
		c.PenaltyMax = time.Minute
	}
	if c.PenaltyHalfLife <= 0 {
		c.PenaltyHalfLife = 10 * time.Minute
	}
	if c.PenaltyMemory <= 0 {
		c.PenaltyMemory = 50_000
	}
	if c.KnownFor <= 0 {
		c.KnownFor = 7 * 24 * time.Hour
	}
	if c.ElsewherePerSecond <= 0 {
		c.ElsewherePerSecond = 100
	}
	if c.ElsewhereDomainsPerSecond <= 0 {
		c.ElsewhereDomainsPerSecond = 20
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

// Directory answers for addresses and logins. Safe for concurrent use. It needs no Close.
type Directory struct {
	cfg   Config
	store store.Levels[store.Directory]

	addresses   *cache[mail.Address, *entry]
	domainCache *cache[string, store.Domain]
	absent      *cache[string, struct{}]               // domains that no datacenter hosts
	ended       *otter.Cache[mail.MailboxID, struct{}] // see Ended
	verified    *credentialCache
	passwords   *passwords
	penalties   *penalties
	metrics     *metrics
	busyLog     rate.Sometimes
	least       leastRetention

	// The limits of questions to the other datacenters, about addresses and domains.
	elsewhere, elsewhereDomains *rate.Limiter

	// changes lets one change at a time read rows and write on what it read. Between
	// processes nothing does: see the package comment on generations for why two of them
	// adding the same address at once agree.
	changes sync.Mutex
}

// New makes a Directory on st and registers its metrics with reg (nil: they are not
// registered).
func New(cfg Config, st store.Levels[store.Directory], reg prometheus.Registerer) (*Directory, error) {
	cfg = cfg.withDefaults()
	if cfg.DefaultDomain != "" {
		domain, err := mail.CanonicalDomain(cfg.DefaultDomain)
		if err != nil {
			return nil, fmt.Errorf("account: default domain: %w", err)
		}
		cfg.DefaultDomain = domain
	}
	addresses, err := newCache[mail.Address, *entry](cfg.CacheSize, cfg.CacheTTL)
	if err != nil {
		return nil, fmt.Errorf("account: address cache: %w", err)
	}
	domains, err := newCache[string, store.Domain](cfg.CacheSize, cfg.CacheTTL)
	if err != nil {
		return nil, fmt.Errorf("account: domain cache: %w", err)
	}
	absent, err := newCache[string, struct{}](min(cfg.CacheSize, absentSize), cfg.CacheTTL)
	if err != nil {
		return nil, fmt.Errorf("account: cache of absent domains: %w", err)
	}
	ended, err := newEnded()
	if err != nil {
		return nil, fmt.Errorf("account: ended mailboxes: %w", err)
	}
	verified, err := newCredentialCache(cfg.CredentialCacheSize, cfg.CredentialTTL)
	if err != nil {
		return nil, fmt.Errorf("account: credential cache: %w", err)
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
		cfg: cfg, store: st,
		addresses: addresses, domainCache: domains, absent: absent, ended: ended, verified: verified, passwords: p, metrics: m,
		penalties: newPenalties(cfg, m), busyLog: rate.Sometimes{First: 1, Interval: time.Minute},
		elsewhere:        rate.NewLimiter(rate.Limit(cfg.ElsewherePerSecond), cfg.ElsewherePerSecond),
		elsewhereDomains: rate.NewLimiter(rate.Limit(cfg.ElsewhereDomainsPerSecond), cfg.ElsewhereDomainsPerSecond),
	}, nil
}
