package account

import (
	"sync"
	"time"

	"popelago/cache"
	"popelago/mail"
	"popelago/store"
)

// entry is a live account, alias or group as read from the store.
type entry struct {
	row     store.Address
	mailbox mail.MailboxID
	// beside are the targets of an alias behind an account of the same address: a rename that has stopped half way.
	beside []mail.Address
}

// disabled reports whether an account may not be used.
func (e *entry) disabled() bool { return e.row.State == store.StateDisabled }

// isAccount reports whether an entry, which may be nil, is an account.
func (e *entry) isAccount() bool { return e != nil && e.row.Kind == store.KindAccount }

// orNone returns e if e is an account, and otherwise nil.
func (e *entry) orNone() *entry {
	if e.isAccount() {
		return e
	}
	return nil
}

// cache holds values read from the store for a while: live accounts by canonical address, domains by
// name. The only negative answers are domains that no datacenter hosts, and the local store is read
// again before a negative answer counts.
//
// Items carry their own end, so that the injected clock counts and the cache needs no
// goroutine; the size bound alone releases memory.
type ttlCache[K comparable, V any] struct {
	ttl   time.Duration
	items cache.Cache[K, item[V]]

	// epoch counts the changes made. A value read before a change and put after the change would be
	// stale for a whole ttl: put refuses the value.
	mu    sync.Mutex
	epoch uint64
}

// item is a value that is valid until a moment.
type item[V any] struct {
	value V
	until time.Time
}

func newTTLCache[K comparable, V any](size int, ttl time.Duration) *ttlCache[K, V] {
	return &ttlCache[K, V]{ttl: ttl, items: cache.New[K, item[V]](size)}
}

func (c *ttlCache[K, V]) get(key K, now time.Time) (value V, ok bool) {
	i, ok := c.items.Get(key)
	// An end further away than ttl shows that the clock went back.
	if !ok || !now.Before(i.until) || i.until.Sub(now) > c.ttl {
		return value, false
	}
	return i.value, true
}

// begin returns the epoch to pass to put. Callers call begin before they read the value.
func (c *ttlCache[K, V]) begin() uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.epoch
}

// put stores a value read under a key; found is false if the key has no value.
func (c *ttlCache[K, V]) put(key K, value V, found bool, epoch uint64, now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ttl <= 0 || epoch != c.epoch:
	case !found:
		c.items.Remove(key)
	default:
		c.items.Set(key, item[V]{value, now.Add(c.ttl)})
	}
}

// forget must be called after every change of the value of a key, including changes with an unknown
// outcome.
func (c *ttlCache[K, V]) forget(key K) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	c.items.Remove(key)
}
