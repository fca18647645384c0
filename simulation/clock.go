package simulation

import (
	"sync/atomic"
	"time"
)

// clock is the wall clock of a machine. Its timers run with the virtual time, and its time of day is off.
type clock struct {
	offset atomic.Int64
	stands atomic.Pointer[time.Time] // the time of day of a suspended machine; nil: the clock goes
}

// Now returns the time of day.
func (c *clock) Now() time.Time {
	if at := c.stands.Load(); at != nil {
		return *at
	}
	return time.Now().Add(time.Duration(c.offset.Load()))
}

// set sets the distance to the virtual time.
func (c *clock) set(offset time.Duration) { c.offset.Store(int64(offset)) }

// stop lets the clock stand still.
func (c *clock) stop() {
	now := c.Now()
	c.stands.Store(&now)
}

// standing reports whether the clock stands still: its machine is suspended.
func (c *clock) standing() bool { return c.stands.Load() != nil }

// goOn lets the clock go on from where it stands.
func (c *clock) goOn() {
	c.set(time.Until(*c.stands.Load()))
	c.stands.Store(nil)
}
