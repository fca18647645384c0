package embedded

import (
	"sync/atomic"
	"testing"
	"time"
)

// testClock is a clock that stands still until set. The engine reads the clock in the background.
type testClock struct{ at atomic.Pointer[time.Time] }

func newTestClock(at time.Time) *testClock {
	c := &testClock{}
	c.at.Store(&at)
	return c
}

func (c *testClock) now() time.Time { return *c.at.Load() }

func (c *testClock) set(at time.Time) { c.at.Store(&at) }

// pass moves the clock forward, though no time passes, and declares the clock right.
func (c *testClock) pass(t *testing.T, s *Store, d time.Duration) {
	t.Helper()
	c.set(c.now().Add(d))
	if err := s.TrustClock(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// countRows counts the rows of a store by the first octet of their keys.
func countRows(t *testing.T, s *Store, prefixes ...byte) (n int) {
	t.Helper()
	for _, prefix := range prefixes {
		if err := s.engine.link.scan(t.Context(), []byte{prefix}, []byte{prefix + 1}, func(k, v []byte) (bool, error) {
			n++
			return true, nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return n
}
