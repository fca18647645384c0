package embedded

import "golang.org/x/sys/unix"

// Synchronized reports whether the kernel says that NTP, or another source of time, keeps the clock. The kernel forgets
// so when somebody sets the clock, until NTP agrees again.
func Synchronized() bool {
	var t unix.Timex
	state, err := unix.Adjtimex(&t)
	return err == nil && state != unix.TIME_ERROR && t.Status&unix.STA_UNSYNC == 0
}
