package cassandratest_test

import (
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"popelago/cassandratest"
)

// A node does not inherit the files of its starter, such as the file of a lock.
func TestNodesInheritNoFiles(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	fd, err := syscall.Open(name, syscall.O_CREAT|syscall.O_RDWR, 0o600) // not marked, unlike os.Open's
	check(t, err)
	defer syscall.Close(fd)
	inherited := func() bool {
		t.Helper()
		out, err := exec.Command("sh", "-c", "ls -l /proc/self/fd").Output()
		check(t, err)
		return strings.Contains(string(out), name)
	}
	if !inherited() {
		t.Fatal("the file is not inherited anyhow: the test has lost its point")
	}
	cassandratest.CloseOnExec()
	if inherited() {
		t.Error("a started program has the file")
	}
}

// Programs that a thread starts after CoarseTimers have late timers, and programs of other threads do not.
func TestCoarseTimers(t *testing.T) {
	slack := func() string {
		out, err := exec.Command("cat", "/proc/self/timerslack_ns").CombinedOutput()
		if err != nil {
			return err.Error()
		}
		return strings.TrimSpace(string(out))
	}
	before := slack()
	if _, err := strconv.Atoi(before); err != nil {
		t.Skip("the kernel does not tell how late timers may be:", before)
	}
	after := make(chan string)
	go func() {
		runtime.LockOSThread() // and never unlock: the thread ends
		cassandratest.CoarseTimers()
		after <- slack()
	}()
	if got := <-after; got != "500000" {
		t.Errorf("timers may be %s ns late, want 500000", got)
	}
	if again := slack(); again != before {
		t.Errorf("timers of another program may be %s ns late, want %s as before", again, before)
	}
}
