package cache

import (
	"time"

	"github.com/maypok86/otter/v2"
)

// table is a cache of the library, whose functions are generic: a package that reached them would compile all of
// them again, for nine seconds. The interface keeps them in this package.
type table interface {
	get(key any) (value any, ok bool)
	set(key, value any)
	add(key, value any) (present any)
	change(key any, f func(old any, known bool) (value any, ok bool))
	remove(key any)
	removeAll()
	len() int
	close()
}

func newTable(size int) table {
	return library{otter.Must(&otter.Options[any, any]{MaximumSize: max(size, 1)})}
}

func newWeighing(most int, weigh func(any) int) table {
	return library{otter.Must(&otter.Options[any, any]{
		MaximumWeight: uint64(max(most, 1)), Weigher: func(_, value any) uint32 { return uint32(weigh(value)) },
	})}
}

func newExpiring(size int, after time.Duration) table {
	return library{otter.Must(&otter.Options[any, any]{
		MaximumSize: max(size, 1), ExpiryCalculator: otter.ExpiryWriting[any, any](after), Clock: tickless{time.Now()},
	})}
}

// tickless is the time without ticks: the library would look for ended values each second. Later changes of the cache
// drop ended values, too.
type tickless struct{ start time.Time }

func (t tickless) NowNano() int64 { return int64(time.Since(t.start)) }

func (tickless) Tick(time.Duration) <-chan time.Time { return nil }

type library struct{ cache *otter.Cache[any, any] }

func (l library) get(key any) (any, bool) { return l.cache.GetIfPresent(key) }

func (l library) set(key, value any) { l.cache.Set(key, value) }

func (l library) add(key, value any) any {
	present, _ := l.cache.SetIfAbsent(key, value)
	return present
}

func (l library) change(key any, f func(any, bool) (any, bool)) {
	l.cache.Compute(key, func(old any, known bool) (any, otter.ComputeOp) {
		value, ok := f(old, known)
		if !ok {
			return old, otter.CancelOp
		}
		return value, otter.WriteOp
	})
}

func (l library) remove(key any) { l.cache.Invalidate(key) }

func (l library) removeAll() { l.cache.InvalidateAll() }

func (l library) len() int {
	l.cache.CleanUp()
	return l.cache.EstimatedSize()
}

func (l library) close() { l.cache.StopAllGoroutines() }
