// Package cache keeps a bounded number of values in memory: the values that are used often stay, and a scan of many
// keys displaces few of them.
package cache

import "time"

// Cache maps keys to values. Safe for concurrent use. A value costs about 120 octets, apart from what it points to.
type Cache[K comparable, V any] struct{ table table }

// New makes a cache of up to size values, at least one.
func New[K comparable, V any](size int) Cache[K, V] { return Cache[K, V]{newTable(size)} }

// NewWeighing makes a cache of values with weights of up to most together. A value that is heavier than most is not
// kept.
func NewWeighing[K comparable, V any](most int, weigh func(V) int) Cache[K, V] {
	return Cache[K, V]{newWeighing(most, func(value any) int { return weigh(value.(V)) })}
}

// NewExpiring makes a cache of up to size values, at least one, whose values end some time after they were set. Close
// must follow.
func NewExpiring[K comparable, V any](size int, after time.Duration) Cache[K, V] {
	return Cache[K, V]{newExpiring(size, after)}
}

// Close ends the background work of the cache.
func (c Cache[K, V]) Close() { c.table.close() }

// Get returns the value of a key; ok is false if the cache has none.
func (c Cache[K, V]) Get(key K) (value V, ok bool) {
	item, ok := c.table.get(key)
	if !ok {
		return value, false
	}
	return item.(V), true
}

// Set sets the value of a key.
func (c Cache[K, V]) Set(key K, value V) { c.table.set(key, value) }

// Add sets the value of a key without one, and returns the value that the key has now.
func (c Cache[K, V]) Add(key K, value V) V { return c.table.add(key, value).(V) }

// Change sets the value of a key to the result of f, if ok is true. Nothing else changes the value meanwhile. known is
// false, and old the zero value, if the cache has none.
func (c Cache[K, V]) Change(key K, f func(old V, known bool) (value V, ok bool)) {
	c.table.change(key, func(item any, known bool) (any, bool) {
		old, _ := item.(V) // nil: the zero value
		return f(old, known)
	})
}

// Remove removes the value of a key.
func (c Cache[K, V]) Remove(key K) { c.table.remove(key) }

// RemoveAll removes all values.
func (c Cache[K, V]) RemoveAll() { c.table.removeAll() }

// Len returns the number of values. It waits for the removal of surplus values.
func (c Cache[K, V]) Len() int { return c.table.len() }
