package simulation

import (
	"sync/atomic"
	"time"
)

// clock is the wall clock of a machine. Its timers run with the virtual time, and its time of day is off.
type clock struct{ offset atomic.Int64 }

// Now returns the time of day.
func (c *clock) Now() time.Time { return time.Now().Add(time.Duration(c.offset.Load())) }

// set sets the distance to the virtual time.
func (c *clock) set(offset time.Duration) { c.offset.Store(int64(offset)) }
