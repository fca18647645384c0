package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"syscall"
	"time"
)

// ticks is the count of clock ticks in a second, in which Linux counts the time of processors.
const ticks = 100

// CPU returns the time of processors that a process has used, from /proc.
func CPU(pid int) (time.Duration, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	return parseCPU(b)
}

// parseCPU reads the fields utime and stime of proc_pid_stat(5). The name of the program, in parentheses, may contain
// any character.
func parseCPU(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("process: %q", stat)
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, err
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	return time.Duration(user+system) * time.Second / ticks, err
}

// OwnCPU returns the time of processors that this process has used, and its children that have ended.
func OwnCPU() (time.Duration, error) {
	var used time.Duration
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var u syscall.Rusage
		if err := syscall.Getrusage(who, &u); err != nil {
			return 0, err
		}
		used += time.Duration(u.Utime.Nano() + u.Stime.Nano())
	}
	return used, nil
}

// PID returns the id of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }
