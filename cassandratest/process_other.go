//go:build !linux

package cassandratest

import "syscall"

// attributes puts a node in a process group of its own.
func attributes(detached bool) *syscall.SysProcAttr {
	if detached {
		return &syscall.SysProcAttr{Setsid: true}
	}
	return &syscall.SysProcAttr{Setpgid: true}
}

// closeOnExec does nothing here: the files of a process are not listed.
func closeOnExec() {}

// coarseTimers does nothing here.
func coarseTimers() {}
