package servertest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"sync"
	"testing"

	"popelago/cassandratest"
)

// binDir holds the binary under test.
var binDir string

// Main runs the tests of a package, and stops its clusters; for TestMain.
func Main(m *testing.M, clusters ...*cassandratest.Lazy) int {
	// Debian keeps the programs of servers where only root's PATH leads.
	os.Setenv("PATH", os.Getenv("PATH")+":/usr/sbin:/sbin")
	// A setting of the caller's must not change the servers under test.
	for _, entry := range os.Environ() {
		if name, _, _ := strings.Cut(entry, "="); strings.HasPrefix(name, "POPELAGO_") {
			os.Unsetenv(name)
		}
	}
	dir, err := os.MkdirTemp("", "popelago-integration-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(dir)
	binDir = dir
	return cassandratest.Main(m, clusters...)
}

// raceEnabled reports whether the tests run with the race detector.
var raceEnabled = sync.OnceValue(func() bool {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return false
	}
	for _, s := range info.Settings {
		if s.Key == "-race" {
			return s.Value == "true"
		}
	}
	return false
})

var buildOnce = sync.OnceValues(func() (string, error) {
	name := filepath.Join(binDir, "popelago")
	args := []string{"build", "-ldflags=-s -w", "-o", name} // no tables for debuggers: linking is faster
	if raceEnabled() {
		args = append(args, "-race")
	}
	out, err := exec.Command("go", append(args, "popelago/cmd/popelago")...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("go %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return name, nil
})

// Binary is the path of the program under test.
func Binary(t testing.TB) string {
	t.Helper()
	name, err := buildOnce()
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// NeedProgram skips the test if a program is missing. With CI=true the test fails.
func NeedProgram(t testing.TB, program, debianPackage string) {
	t.Helper()
	if _, err := exec.LookPath(program); err == nil {
		return
	}
	Cannot(t, fmt.Sprintf("%s is not installed: apt-get install --no-install-recommends %s", program, debianPackage))
}

// NeedRoot skips the test unless it runs as root.
func NeedRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Cannot(t, "needs root")
	}
}

// Cannot skips the test. With CI=true the test fails.
func Cannot(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("CI") == "true" {
		t.Fatal(why)
	}
	t.Skip(why)
}
