package servertest

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Output collects the output of a process. Safe for concurrent use.
type Output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *Output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// Tail is the end of a long text.
func Tail(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return "[...]" + s[len(s)-limit:]
}

// Process is a program in a process group of its own, so that it can be ended with all its
// children.
type Process struct {
	Cmd  *exec.Cmd
	Out  Output // standard output and error
	done chan struct{}
	err  error // of Wait, once done is closed
}

// StartProcess starts cmd. The group is killed when the test ends, if not before.
func StartProcess(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = &p.Out
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &p.Out
	}
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.WaitDelay = 20 * time.Second // children may hold the pipes; otherwise enough to read the rest of the output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		p.err = cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() { p.kill(t) })
	return p
}

// Signal sends s to the whole group.
func (p *Process) Signal(s syscall.Signal) {
	syscall.Kill(-p.Cmd.Process.Pid, s)
}

// kill ends the group at once and waits for its end.
func (p *Process) kill(t testing.TB) {
	t.Helper()
	p.Signal(syscall.SIGKILL)
	select {
	case <-p.done:
	case <-time.After(StopLimit):
		t.Errorf("%s does not die", p.Cmd.Path)
	}
}

// Wait waits for the process to end and returns its exit code; after limit the test fails.
func (p *Process) Wait(t testing.TB, limit time.Duration) int {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(limit):
		p.kill(t)
		t.Fatalf("%s still runs after %v; it said:\n%s", p.Cmd.Path, limit, Tail(p.Out.String(), 4000))
	}
	return exitCode(p.err)
}

func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

func exitCode(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return 0
	case errors.As(err, &exit):
		return exit.ExitCode()
	}
	return -1
}

// Program is one run of a helper program to its end.
type Program struct {
	Dir   string // folder to run in, and HOME; empty: the test's own
	Stdin string
	Limit time.Duration // default ten minutes
	// Nobody runs the program without root's rights, for programs that refuse root.
	Nobody bool
}

// Run runs a program and returns its exit code and its output.
func (p Program) Run(t testing.TB, name string, args ...string) (int, string) {
	t.Helper()
	if p.Limit == 0 {
		p.Limit = 10 * time.Minute
	}
	cmd := CommandOf(name, args...)
	cmd.Dir = p.Dir
	cmd.Env = CleanEnv(p.Dir)
	cmd.Stdin = strings.NewReader(p.Stdin)
	if p.Nobody && os.Geteuid() == 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobodyID, Gid: nobodyID}}
	}
	proc := StartProcess(t, cmd)
	code := proc.Wait(t, p.Limit)
	return code, proc.Out.String()
}

// CommandOf is a command without the caller's settings.
func CommandOf(name string, args ...string) *exec.Cmd {
	cmd := exec.Command(name, args...)
	cmd.Env = CleanEnv("")
	return cmd
}

// Must runs a program and expects exit code 0.
func (p Program) Must(t testing.TB, name string, args ...string) string {
	t.Helper()
	code, out := p.Run(t, name, args...)
	if code != 0 {
		t.Fatalf("%s %s: exit code %d\n%s", name, strings.Join(args, " "), code, Tail(out, 4000))
	}
	return out
}

// nobodyID is the user and group "nobody" of Debian.
const nobodyID = 65534

// CleanEnv is an environment without the caller's settings.
func CleanEnv(home string) []string {
	if home == "" {
		home = os.TempDir()
	}
	return []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LANG=C.UTF-8", "TZ=UTC", "TMPDIR=" + os.TempDir(), raceOptions}
}

// raceOptions lets a program with the race detector end at once: by default the detector waits a
// second for other goroutines to report.
const raceOptions = "GORACE=atexit_sleep_ms=50"

// PublicDir is a temporary folder whose path every user may walk, unlike t.TempDir's.
func PublicDir(t testing.TB) string {
	t.Helper()
	return publicDirIn(t, "")
}

// ClientDir is a publicDir for mail programs: in memory where there is room, because some
// wait for the disk after every message.
func ClientDir(t testing.TB) string {
	t.Helper()
	const memory, room = "/dev/shm", 1 << 30
	var fs syscall.Statfs_t
	if err := syscall.Statfs(memory, &fs); err == nil && fs.Bavail*uint64(fs.Bsize) >= room {
		return publicDirIn(t, memory)
	}
	return PublicDir(t)
}

func publicDirIn(t testing.TB, parent string) string {
	t.Helper()
	dir, err := os.MkdirTemp(parent, "popelago-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// GiveToNobody gives files to the user of Program.Nobody.
func GiveToNobody(t testing.TB, names ...string) {
	t.Helper()
	if os.Geteuid() != 0 {
		return
	}
	for _, name := range names {
		if err := os.Chown(name, nobodyID, nobodyID); err != nil {
			t.Fatal(err)
		}
	}
}

// WriteFile makes a file that only its owner may read.
func WriteFile(t testing.TB, name, text string) {
	t.Helper()
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// FileError returns nil if the file exists.
func FileError(name string) error {
	_, err := os.Stat(name)
	return err
}

// ReadFile is the text of a file.
func ReadFile(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// ResidentKiB is the resident memory of a process.
func ResidentKiB(t testing.TB, pid int) int {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			n, err := strconv.Atoi(strings.Fields(rest)[0])
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatal("no VmRSS")
	return 0
}
