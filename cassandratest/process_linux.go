package cassandratest

import "syscall"

// attributes puts a node in a process group of its own. An attached one is killed by the
// kernel when the thread that started it ends: see Node.launch.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
