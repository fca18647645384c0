package account

import (
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"popelago/mail"
	"popelago/store"
)

// entry is a live account as read from the store.
type entry struct {
	row     store.Address
	mailbox mail.MailboxID
	until   time.Time // not to be believed from then on
}

// addressCache remembers live accounts by canonical address. It holds no negative answers.
//
// Entries carry their own end, so that the injected clock counts and the cache needs no
// goroutine; the size bound alone gives memory back.
type addressCache struct {
	ttl   time.Duration
	cache *otter.Cache[mail.Address, *entry]

	// epoch counts the changes made. A row read before a change and put after it would be
	// stale for a whole ttl: put refuses it.
	mu    sync.Mutex
	epoch uint64
}

func newAddressCache(size int, ttl time.Duration) (*addressCache, error) {
	c, err := otter.New(&otter.Options[mail.Address, *entry]{MaximumSize: size})
	if err != nil {
		return nil, err
	}
	return &addressCache{ttl: ttl, cache: c}, nil
}

func (c *addressCache) get(a mail.Address, now time.Time) (*entry, bool) {
	e, ok := c.cache.GetIfPresent(a)
	// An end further away than ttl means that the clock went back.
	if !ok || !now.Before(e.until) || e.until.Sub(now) > c.ttl {
		return nil, false
	}
	return e, true
}

// begin returns the epoch to pass to put. It must be called before reading the row.
func (c *addressCache) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// put remembers what was read; nil means that there is no live account.
func (c *addressCache) put(a mail.Address, e *entry, epoch uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ttl <= 0 || epoch != c.epoch:
	case e == nil:
		c.cache.Invalidate(a)
	default:
		e.until = now.Add(c.ttl)
		c.cache.Set(a, e)
	}
}

// forget must be called after every change of a, also one whose outcome is unknown.
func (c *addressCache) forget(a mail.Address) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.cache.Invalidate(a)
}
