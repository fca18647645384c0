package embedded

import "time"

// instant is a moment as time passes whatever the clock of this machine says.
type instant struct {
	// running is by the monotonic clock, which may stand still while the machine is suspended.
	running time.Time
	// boot is the time since the machine started, with all suspensions; zero where the system does
	// not tell.
	boot time.Duration
}

func thisInstant() instant { return instant{running: time.Now(), boot: sinceBoot()} }

// passed is the time since then, without suspensions.
func (i instant) passed() time.Duration { return time.Since(i.running) }

// shorter is what f makes of the time that passed, with or without the suspensions since: the
// result nearer to zero.
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
