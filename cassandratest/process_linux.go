package cassandratest

import (
	"os"
	"strconv"
	"syscall"
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
