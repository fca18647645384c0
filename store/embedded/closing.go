package embedded

import (
	"context"
	"sync"
	"time"
)

// closing tells the objects of a store that Close has begun, and waits for their loops.
type closing struct {
	begun chan struct{} // closed by begin
	loops sync.WaitGroup
}

func newClosing() *closing { return &closing{begun: make(chan struct{})} }

// begin ends the loops. It is called once.
func (c *closing) begin() { close(c.begun) }

// hasBegun reports whether Close has begun.
func (c *closing) hasBegun() bool {
	select {
	case <-c.begun:
		return true
	default:
		return false
	}
}

// loop runs f in a goroutine. f returns after begin.
func (c *closing) loop(f func()) { c.loops.Go(f) }

// every calls f at an interval, in a goroutine, until begin.
func (c *closing) every(interval time.Duration, f func()) {
	c.loop(func() {
		ticks := time.NewTicker(interval)
		defer ticks.Stop()
		for {
			select {
			case <-c.begun:
				return
			case <-ticks.C:
				f()
			}
		}
	})
}

// wait waits for the loops.
func (c *closing) wait() { c.loops.Wait() }

// context returns a context for background work. The context ends with begin, or with cancel, which must be
// called.
func (c *closing) context() (ctx context.Context, cancel context.CancelFunc) {
	return until(context.Background(), c.begun)
}

// until returns a context that ends also when ended is closed. cancel must be called.
func until(parent context.Context, ended <-chan struct{}) (ctx context.Context, cancel context.CancelFunc) {
	ctx, cancel = context.WithCancel(parent)
	go func() {
		select {
		case <-ended:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}
