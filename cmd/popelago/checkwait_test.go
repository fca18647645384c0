package main

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"popelago/adminclient"
)

// judged returns a check that began a minute ago and ends now, with n messages too young.
func judged(n int64, from time.Duration) adminclient.Check {
	now := time.Now()
	started, judgedFrom := now.Add(-time.Minute), now.Add(from)
	c := adminclient.Check{State: adminclient.CheckDone, Window: "1h0m0s", Young: n, Started: &started, Ended: &now}
	if n > 0 {
		c.JudgedFrom = &judgedFrom
	}
	return c
}

// A waiting check ends when all messages stored at its start were judged: no later, whatever
// arrived meanwhile, and no earlier.
func TestCheckWaits(t *testing.T) {
	for _, tt := range []struct {
		name   string
		first  func() adminclient.Check
		second func() adminclient.Check
		wait   time.Duration
		code   int // 0, exitProblems or exitUnsure
	}{
		{"nothing young", func() adminclient.Check { return judged(0, 0) }, nil, 0, exitOK},
		{"the youngest is 50 minutes old", func() adminclient.Check { return judged(3, 10*time.Minute) },
			func() adminclient.Check { return judged(0, 0) }, 10 * time.Minute, exitOK},
		{"others came during the check, and since", func() adminclient.Check { return judged(3, time.Hour) },
			func() adminclient.Check { return judged(9, time.Hour) }, 59 * time.Minute, exitOK},
		{"ids of the future", func() adminclient.Check { return judged(3, 1000*time.Hour) },
			func() adminclient.Check { return judged(3, 999*time.Hour) }, 59 * time.Minute, exitUnsure},
		{"a problem", func() adminclient.Check { return judged(3, time.Minute) },
			func() adminclient.Check { c := judged(0, 0); c.Problems = 1; return c }, time.Minute, exitProblems},
		{"failed at once", func() adminclient.Check { c := judged(3, time.Minute); c.State = adminclient.CheckFailed; return c },
			nil, 0, exitProblems},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start, checks := time.Now(), 0
				err := checkAgain(t.Context(), tt.first(), func() (adminclient.Check, error) {
					checks++
					return tt.second(), nil
				}, t.Output())
				code := exitCode(err)
				want := 0
				if tt.second != nil {
					want = 1
				}
				if waited := time.Since(start).Truncate(time.Second); code != tt.code || checks != want || waited != tt.wait {
					t.Errorf("code %d (%v) after %v and %d checks, want code %d after %v and %d", code, err, waited, checks, tt.code, tt.wait, want)
				}
			})
		})
	}
}

// A wait can be given up.
func TestCheckWaitEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := checkAgain(ctx, judged(1, time.Hour), nil, t.Output()); err == nil || !strings.Contains(err.Error(), "stopped") {
		t.Errorf("given up: %v", err)
	}
}
