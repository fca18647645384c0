package token

import (
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/time/rate"
)

// limitedAddresses is the largest number of addresses with wrong tokens in memory. The least recently
// used are forgotten first.
const limitedAddresses = 10_000

// limiter limits the wrong tokens of each address: an IPv4 address or an IPv6 /64.
type limiter struct {
	most       int
	countLocal bool
	addresses  *otter.Cache[netip.Prefix, *rate.Limiter]
}

func newLimiter(cfg Config) (*limiter, error) {
	addresses, err := otter.New(&otter.Options[netip.Prefix, *rate.Limiter]{MaximumSize: limitedAddresses})
	if err != nil {
		return nil, err
	}
	return &limiter{most: cfg.WrongTokens, countLocal: cfg.CountLocal, addresses: addresses}, nil
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
	own, _ := l.addresses.ComputeIfAbsent(key, func() (*rate.Limiter, bool) {
		return rate.NewLimiter(rate.Every(WrongTokenMemory), l.most), false
	})
	return own.AllowN(now, 1)
}
