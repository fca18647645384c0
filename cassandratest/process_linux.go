package cassandratest

import (
	"os"
	"strconv"
	"syscall"
)

// attributes puts a node in a process group of its own. An attached one is killed by the
// kernel when the thread that started it ends: see Node.launch.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

// closeOnExec keeps programs that are started from here on from having any file of this process
// but what they are given. A caller's lock would otherwise last as long as a detached node: Go marks
// the files that it opens, but not those that it was started with.
func closeOnExec() {
	const firstOther = 3 // behind standard input, output and error
	files, _ := os.ReadDir("/proc/self/fd")
	for _, f := range files {
		if fd, err := strconv.Atoi(f.Name()); err == nil && fd >= firstOther {
			syscall.CloseOnExec(fd)
		}
	}
}
