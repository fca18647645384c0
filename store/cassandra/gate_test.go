package cassandra

import (
	"testing"
	"testing/synctest"
	"time"
)

// TestGate: close waits for the work in progress, and no work begins after it.
func TestGate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var g gate
		for _, length := range []time.Duration{time.Minute, time.Hour} {
			if !g.enter() {
				t.Fatal("an open gate is closed")
			}
			time.AfterFunc(length, g.leave)
		}
		began := time.Now()
		time.AfterFunc(time.Second, func() {
			if g.enter() {
				t.Error("a gate that waits for its closing admits work")
			}
		})
		g.close()
		if waited := time.Since(began); waited != time.Hour {
			t.Errorf("close took %v, want an hour", waited)
		}
		if !g.isClosed() || g.enter() {
			t.Error("a closed gate is open")
		}
		g.close()
	})
}
