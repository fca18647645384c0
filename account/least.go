package account

import (
	"context"
	"sync"
	"time"
)

// leastRetention is the least retention of all accounts, as far as this process knows.
type leastRetention struct {
	mu      sync.Mutex
	domains time.Duration // of the domains; zero: for ever
	until   time.Time     // the domains are to be read again then
	// account is the least own retention of an account that was read; zero: none was.
	account time.Duration
}

// saw notes the own retention of an account.
func (l *leastRetention) saw(retention time.Duration) {
	if retention <= 0 {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.account = least(l.account, retention)
}

// least is the smaller of two retentions; zero is for ever.
func least(a, b time.Duration) time.Duration {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// LeastRetention returns the least retention of the hosted domains, and of the accounts with a
// retention of their own that this process has read since it began; zero: messages stay for
// ever. It reads the domains once in Config.CacheTTL. Errors: the store's.
func (d *Directory) LeastRetention(ctx context.Context) (time.Duration, error) {
	l, now := &d.least, d.cfg.Now()
	l.mu.Lock()
	defer l.mu.Unlock()
	if now.Before(l.until) && l.until.Sub(now) <= d.cfg.CacheTTL {
		return least(l.domains, l.account), nil
	}
	domains, err := d.ListDomains(ctx)
	if err != nil {
		return 0, err
	}
	l.domains = 0
	for _, domain := range domains {
		l.domains = least(l.domains, domain.Retention)
	}
	l.until = now.Add(d.cfg.CacheTTL)
	return least(l.domains, l.account), nil
}
