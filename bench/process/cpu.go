package process

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
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

// PID returns the id of the server's process.
func (s *Server) PID() int { return s.cmd.Process.Pid }
