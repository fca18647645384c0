package mailtest

import (
	"sync/atomic"
	"time"
)

// Clock is a clock that runs, but may have been set: it is ahead of the real one, or behind it. The
// zero value is right. Safe for concurrent use, also in a bubble of package synctest.
type Clock struct{ ahead atomic.Int64 } // nanoseconds

// Now is the time by the clock.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Set lets the clock be ahead by some time; a negative one is behind.
func (c *Clock) Set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }
