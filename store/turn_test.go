package store

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

// TestTurn: virtual time goes on while a goroutine waits for a turn, and turns follow each other.
func TestTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turn, began := NewTurn(), time.Now()
		for range 3 {
			go func() {
				turn.Lock()
				defer turn.Unlock()
				time.Sleep(time.Hour)
			}()
		}
		synctest.Wait()
		turn.Lock()
		if took := time.Since(began); took < time.Hour || took%time.Hour != 0 {
			t.Errorf("a turn came after %v", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		if err := turn.LockUntil(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a turn while another goes on: %v", err)
		}
		turn.Unlock()
		time.Sleep(3 * time.Hour)
		if err := turn.LockUntil(t.Context()); err != nil {
			t.Errorf("a free turn: %v", err)
		}
	})
}
