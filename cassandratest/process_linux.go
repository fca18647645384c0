package cassandratest

import (
	"os"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// attributes puts a node in a process group of its own. The kernel kills an attached node when the
// thread that started it ends: see Node.launch.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// closeOnExec hides the files of this process from the programs that it starts from now on, except
// the given ones. Otherwise a caller's lock would last as long as a detached node: Go marks the
// files that it opens, but not the inherited ones.
func closeOnExec() {
	const firstOther = 3 // behind standard input, output and error
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd >= firstOther {
			syscall.CloseOnExec(fd)
		}
	}
}

// coarseTimer is the time by which timers of brief nodes may be late.
const coarseTimer = 500 * time.Microsecond

// coarseTimers lets the timers of all programs that this thread starts from now on be late. While a node has a
// statement every few milliseconds, one of its threads sleeps for 10 microseconds at a time until the next
// statement: with the kernel's default of 50 microseconds this takes a tenth of a processor of each node. Where
// the kernel refuses, the nodes work all the same.
func coarseTimers() {
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, uintptr(coarseTimer.Nanoseconds()), 0, 0, 0)
}
