package cache_test

import (
	"sync"
	"testing"
	"time"

	"popelago/cache"
)

func TestValues(t *testing.T) {
	c := cache.New[string, int](10)
	want := func(key string, value int, known bool) {
		t.Helper()
		if got, ok := c.Get(key); got != value || ok != known {
			t.Errorf("%s: %d, %t", key, got, ok)
		}
	}
	want("a", 0, false)
	c.Set("a", 1)
	want("a", 1, true)
	if got := c.Add("a", 2); got != 1 {
		t.Errorf("added %d", got)
	}
	if got := c.Add("b", 2); got != 2 {
		t.Errorf("added %d", got)
	}
	for range 2 { // the second change is refused
		c.Change("c", func(old int, known bool) (int, bool) {
			if known != (old == 3) {
				t.Errorf("%d, %t", old, known)
			}
			return 3 + old, !known
		})
		want("c", 3, true)
	}
	c.Change("d", func(int, bool) (int, bool) { return 4, false })
	want("d", 0, false)
	c.Remove("a")
	want("a", 0, false)
	want("b", 2, true)
	if n := c.Len(); n != 2 {
		t.Errorf("%d values", n)
	}
	c.RemoveAll()
	want("b", 0, false)
}

// Values that are nil, or have no size, are values.
func TestEmptyValues(t *testing.T) {
	pointers, marks := cache.New[int, *int](1), cache.New[[16]byte, struct{}](1)
	pointers.Set(1, nil)
	marks.Set([16]byte{1}, struct{}{})
	if p, ok := pointers.Get(1); p != nil || !ok {
		t.Errorf("%v, %t", p, ok)
	}
	if _, ok := marks.Get([16]byte{1}); !ok {
		t.Error("no mark")
	}
}

// The number of values is bounded, and values that are used often outlive a scan of other keys.
func TestSize(t *testing.T) {
	const size = 100
	c := cache.New[int, int](size)
	for n := range 100 * size {
		c.Set(-1, n)
		c.Get(-1)
		c.Set(n, n)
	}
	if n := c.Len(); n > size || n == 0 {
		t.Errorf("%d values", n)
	}
	if _, ok := c.Get(-1); !ok {
		t.Error("a scan displaced the value that is used often")
	}
	if n := cache.New[int, int](-1).Add(1, 2); n != 2 {
		t.Errorf("%d", n)
	}
}

// The weight of all values is bounded.
func TestWeight(t *testing.T) {
	c := cache.NewWeighing[int, string](100, func(text string) int { return len(text) })
	for n := range 1000 {
		c.Set(n, "0123456789")
	}
	c.Set(-1, string(make([]byte, 101)))
	if n := c.Len(); n > 10 || n == 0 {
		t.Errorf("%d values", n)
	}
	if _, ok := c.Get(-1); ok {
		t.Error("a value heavier than the cache is kept")
	}
}

func TestExpiry(t *testing.T) {
	c := cache.NewExpiring[string, int](10, 50*time.Millisecond)
	defer c.Close()
	c.Set("a", 1)
	for end := time.Now().Add(time.Minute); ; time.Sleep(time.Millisecond) {
		if _, ok := c.Get("a"); !ok {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the value stays")
		}
	}
}

// Changes of one key at the same time are made one after the other.
func TestChangesAtOnce(t *testing.T) {
	c := cache.New[string, int](10)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				c.Change("a", func(old int, _ bool) (int, bool) { return old + 1, true })
			}
		})
	}
	all.Wait()
	if n, _ := c.Get("a"); n != 8000 {
		t.Errorf("%d", n)
	}
}

func BenchmarkGet(b *testing.B) {
	c := cache.New[[16]byte, int](1000)
	for n := range 1000 {
		c.Set([16]byte{byte(n), byte(n >> 8)}, n)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for n := 0; pb.Next(); n++ {
			c.Get([16]byte{byte(n % 1000), byte(n % 1000 >> 8)})
		}
	})
}
