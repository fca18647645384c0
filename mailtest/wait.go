package mailtest

import (
	"testing"
	"time"
)

// WaitFor calls check until check returns nil. After limit, WaitFor ends the test with the last error.
func WaitFor(t testing.TB, limit time.Duration, check func() error) {
	t.Helper()
	WaitForProgress(t, limit, func() (int64, error) { return 0, check() })
}

// WaitForProgress is WaitFor for work that can be counted: done counts what is done so far. After limit without progress,
// WaitForProgress ends the test with the last error, so that work on a slow machine may take any time.
func WaitForProgress(t testing.TB, limit time.Duration, check func() (done int64, err error)) {
	t.Helper()
	end, most := time.Now().Add(limit), int64(0)
	for pause := time.Millisecond; ; pause = min(2*pause, 200*time.Millisecond) {
		began := time.Now()
		done, err := check()
		if err == nil {
			return
		}
		if done > most {
			most, end = done, time.Now().Add(limit)
		}
		if time.Now().After(end) {
			t.Fatalf("after %v still: %v", limit, err)
		}
		// A check that takes long, and a busy machine, leave processors to what the test waits for.
		time.Sleep(max(pause, min(2*time.Since(began), time.Second)))
	}
}
