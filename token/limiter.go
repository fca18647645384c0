package token

import (
	"net/netip"
	"time"

	"golang.org/x/time/rate"

	"popelago/cache"
)

// limitedAddresses is the largest number of addresses with wrong tokens in memory. The least recently
// used are forgotten first.
const limitedAddresses = 10_000

// limiter limits the wrong tokens of each address: an IPv4 address or an IPv6 /64.
type limiter struct {
	most       int
	countLocal bool
	addresses  cache.Cache[netip.Prefix, *rate.Limiter]
}

func newLimiter(cfg Config) *limiter {
	return &limiter{most: cfg.WrongTokens, countLocal: cfg.CountLocal, addresses: cache.New[netip.Prefix, *rate.Limiter](limitedAddresses)}
}

// allow counts a token that is probably wrong, and reports whether it may be looked for.
func (l *limiter) allow(from netip.Addr, now time.Time) bool {
	from = from.Unmap().WithZone("")
	bits := 32
	switch {
	case !from.IsValid(), from.IsLoopback() && !l.countLocal:
		return true
	case from.Is6():
		bits = 64
	}
	key, err := from.Prefix(bits)
	if err != nil {
		return true
	}
	own, ok := l.addresses.Get(key)
	if !ok {
		own = l.addresses.Add(key, rate.NewLimiter(rate.Every(WrongTokenMemory), l.most))
	}
	return own.AllowN(now, 1)
}
