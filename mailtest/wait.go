package mailtest

import (
	"testing"
	"time"
)

// WaitFor calls check until check returns nil. After limit, WaitFor ends the test with the last error.
func WaitFor(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	end := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 100*time.Millisecond) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v still: %v", limit, err)
		}
		time.Sleep(pause)
	}
}
