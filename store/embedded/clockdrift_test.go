package embedded

import (
	"testing"
	"time"

	"popelago/store"
)

// A clock corrected by a little each night, as of a virtual machine that stands still during a nightly
// copy, is trusted as long as the server runs. A clock set by much is still noticed, and so is a clock
// set by much in small steps.
func TestClockPutRightALittleEachNight(t *testing.T) {
	for name, step := range map[string]time.Duration{"ahead": 28 * time.Second, "back": -28 * time.Second} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(r *clockRig) {
				var off time.Duration
				for range 12 { // 336 seconds in all
					r.passes(6 * time.Hour)
					off += step
					r.clock.Set(off)
					if err := r.s.Clock(); err != nil {
						t.Fatalf("after steps of %v in all: %v", off, err)
					}
				}
				r.passes(time.Minute)
				r.wants(nil)
				for range 20 {
					off += step
					r.clock.Set(off)
					r.passes(time.Minute)
				}
				r.wants(store.ErrClock, "while the server ran")
				r.passes(6 * time.Hour)
				r.wants(store.ErrClock)
			})
		})
	}
}
