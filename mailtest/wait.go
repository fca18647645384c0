package mailtest

import (
	"testing"
	"time"
)

// WaitFor calls check until check returns nil. After limit, WaitFor ends the test with the last error.
func WaitFor(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	end := time.Now().Add(limit)
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		began := time.Now()
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("after %v still: %v", limit, err)
		}
		// A check that takes long, and a busy machine, leave processors to what the test waits for.
		time.Sleep(max(pause, min(2*time.Since(began), time.Second)))
	}
}
