package store

import (
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
		turn.Unlock()
		time.Sleep(3 * time.Hour)
	})
}
