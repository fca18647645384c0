package embedded

import "time"

// instant is a moment independent of the clock of this machine.
type instant struct {
	// running is by the monotonic clock, which may stand still while the machine is suspended.
	running time.Time
	// boot is the time since the machine started, including suspensions; zero if unknown.
	boot time.Duration
}

func thisInstant() instant { return instant{running: time.Now(), boot: sinceBoot()} }

// passed returns the time since the moment, without suspensions.
func (i instant) passed() time.Duration { return time.Since(i.running) }

// shorter applies f to the time passed, with and without suspensions, and returns the result nearer to
// zero.
func (i instant) shorter(f func(passed time.Duration) time.Duration) time.Duration {
	without := f(i.passed())
	now := sinceBoot()
	if i.boot == 0 || now == 0 {
		return without
	}
	if with := f(now - i.boot); with.Abs() < without.Abs() {
		return with
	}
	return without
}
