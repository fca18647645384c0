package cassandratest_test

import (
	"os/exec"
	"path/filepath"
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
