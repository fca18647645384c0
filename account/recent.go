package account

import "container/list"

// recent is a map of bounded size that forgets the least recently used entry. Not safe for
// concurrent use.
type recent[K comparable, V any] struct {
	size  int
	items map[K]*list.Element
	order *list.List // of *recentItem[K, V], the last used first
}

type recentItem[K comparable, V any] struct {
	key   K
	value V
}

func newRecent[K comparable, V any](size int) *recent[K, V] {
	return &recent[K, V]{size: size, items: map[K]*list.Element{}, order: list.New()}
}

// get returns the value under key, for reading and changing; nil if the key has none. The pointer is
// valid until the next call of add.
func (r *recent[K, V]) get(key K) *V {
	e, ok := r.items[key]
	if !ok {
		return nil
	}
	r.order.MoveToFront(e)
	return &e.Value.(*recentItem[K, V]).value
}

// add returns the value under key, and adds a zero value first if the key has none.
func (r *recent[K, V]) add(key K) *V {
	if v := r.get(key); v != nil {
		return v
	}
	if len(r.items) >= r.size {
		last := r.order.Back()
		delete(r.items, r.order.Remove(last).(*recentItem[K, V]).key)
	}
	item := &recentItem[K, V]{key: key}
	r.items[key] = r.order.PushFront(item)
	return &item.value
}
