package process

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
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

// parseCPU reads the fields utime and stime of proc_pid_stat(5).
func parseCPU(stat []byte) (time.Duration, error) {
	_, own, _, err := parseStat(stat)
	return own, err
}

// parseStat reads the parent of a process from proc_pid_stat(5), and the times of processors of the process and of its children that
// have ended. The name of the program, in parentheses, may contain any character.
func parseStat(stat []byte) (parent int, own, ended time.Duration, err error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 15 {
		return 0, 0, 0, fmt.Errorf("process: %q", stat)
	}
	number := func(i int) int64 {
		n, nerr := strconv.ParseInt(string(fields[i]), 10, 64)
		if nerr != nil {
			err = fmt.Errorf("process: %q: %w", stat, nerr)
		}
		return n
	}
	parent = int(number(1))
	own = time.Duration(number(11)+number(12)) * time.Second / ticks
	ended = time.Duration(number(13)+number(14)) * time.Second / ticks
	return parent, own, ended, err
}

// CPU returns the time of processors that the server has used: its process, the descendants, and their children that
// have ended.
func (s *Server) CPU() (time.Duration, error) {
	names, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		return 0, err
	}
	used, children := map[int]time.Duration{}, map[int][]int{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // the process has ended: its parent has the time
		}
		parent, own, ended, err := parseStat(b)
		if err != nil {
			return 0, err
		}
		pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(name)))
		used[pid] = own + ended
		children[parent] = append(children[parent], pid)
	}
	var sum time.Duration
	for family := []int{s.PID()}; len(family) > 0; family = family[1:] {
		sum += used[family[0]]
		family = append(family, children[family[0]]...)
	}
	return sum, nil
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
