package mailtest

import (
	"sync/atomic"
	"time"
)

// Clock is a running clock that may be ahead of the real clock, or behind. The zero value shows the
// real time. Safe for concurrent use, also in a bubble of package synctest.
type Clock struct{ ahead atomic.Int64 } // nanoseconds

// Now is the time that the clock shows.
func (c *Clock) Now() time.Time { return time.Now().Add(time.Duration(c.ahead.Load())) }

// Set sets the lead over the real clock; a negative lead sets the clock behind.
func (c *Clock) Set(ahead time.Duration) { c.ahead.Store(int64(ahead)) }
