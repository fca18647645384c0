package cassandratest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Node is one Cassandra process.
type Node struct {
	Name       string // datacenter-number, such as dc1-1
	Datacenter string
	Rack       string
	Address    string // IP address

	dir  string
	java string
	args []string
	// detached nodes outlive this process, which then does not notice their end.
	detached bool
	brief    bool         // as in Options
	started  func() error // called with every new process; may be nil

	mu   sync.Mutex
	pid  int           // 0: was never started or has been killed
	done chan struct{} // closed when the process has ended; nil if it is no child of ours
}

// LogFile returns the log of the node.
func (n *Node) LogFile() string { return filepath.Join(n.dir, "system.log") }

// Start starts the node, also after Kill, and waits until it answers clients. A node gives up if no peer answers
// for two seconds, which happens on a busy machine: Start starts the node again, up to lonelyStarts times.
func (n *Node) Start(ctx context.Context) error {
	if n.Running() {
		return fmt.Errorf("cassandratest: node %s is running already", n.Name)
	}
	for attempt := 1; ; attempt++ {
		before := n.output()
		if err := n.launch(); err != nil {
			return fmt.Errorf("cassandratest: start node %s: %w", n.Name, err)
		}
		err := n.WaitAnswers(ctx)
		if err == nil || n.Running() || ctx.Err() != nil || attempt == lonelyStarts || !lonely(n.output()[len(before):]) {
			return err
		}
	}
}

// lonelyStarts is the count of starts of a node whose peers do not answer.
const lonelyStarts = 10

// lonely reports whether a node has ended because no peer answered.
func lonely(output string) bool { return strings.Contains(output, "Unable to gossip with any peers") }

// outputFile is the name of the file with the output of all starts of a node, beside its log.
const outputFile = "out.log"

// output returns the output of all starts of the node.
func (n *Node) output() string {
	text, _ := os.ReadFile(filepath.Join(n.dir, outputFile)) // no file before the first start
	return string(text)
}

// launch starts the process on a thread that stays until the process has ended: the kernel would
// take the end of the thread as the end of this process.
func (n *Node) launch() error {
	out, err := os.OpenFile(filepath.Join(n.dir, outputFile), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	cmd := exec.Command(n.java, n.args...)
	cmd.Dir = n.dir
	cmd.Env = append(os.Environ(), "JAVA_TOOL_OPTIONS=")
	cmd.Stdout, cmd.Stderr = out, out
	cmd.SysProcAttr = attributes(n.detached)
	if n.detached {
		closeOnExec()
	}
	started := make(chan error)
	done := make(chan struct{})
	go func() {
		runtime.LockOSThread() // and never unlock
		if n.brief {
			coarseTimers()
		}
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // its result says nothing: we kill it
			close(done)
		}
	}()
	if err := <-started; err != nil {
		return err
	}
	n.mu.Lock()
	n.pid, n.done = cmd.Process.Pid, done
	n.mu.Unlock()
	if n.started != nil {
		return n.started()
	}
	return nil
}

// Answers returns nil if the node answers clients.
func (n *Node) Answers(ctx context.Context) error { return answers(ctx, n.Address) }

// WaitAnswers waits until the node answers clients, or is found to have ended.
func (n *Node) WaitAnswers(ctx context.Context) error {
	for {
		err := answers(ctx, n.Address)
		if err == nil {
			return nil
		}
		if !n.Running() {
			return fmt.Errorf("cassandratest: node %s has ended:\n%s", n.Name, n.tail(40))
		}
		if pause(ctx) != nil {
			return fmt.Errorf("cassandratest: node %s does not answer (%w): %w\n%s", n.Name, ctx.Err(), err, n.tail(40))
		}
	}
}

// pause waits a moment between two checks.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

// PID returns the id of the node's process; zero if it was never started or has been killed.
func (n *Node) PID() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.pid
}

// Running reports whether the process exists, paused or not.
func (n *Node) Running() bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.runningLocked()
}

func (n *Node) runningLocked() bool {
	if n.pid == 0 {
		return false
	}
	if n.done != nil {
		select {
		case <-n.done:
			return false
		default:
			return true
		}
	}
	return n.isOurs(n.pid)
}

// isOurs reports whether a process id read from a file still is this node.
func (n *Node) isOurs(pid int) bool {
	line, err := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
	if errors.Is(err, os.ErrNotExist) && !isDir("/proc/self") {
		return syscall.Kill(pid, 0) == nil // this system has no /proc
	}
	return err == nil && strings.Contains(string(line), n.dir)
}

// Kill ends the node at once, like a power cut of its machine, and waits until it is gone. It has
// no effect on a node that is not running.
func (n *Node) Kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.runningLocked() {
		_ = syscall.Kill(-n.pid, syscall.SIGKILL)
		for n.done == nil && n.runningLocked() {
			_ = pause(context.Background())
		}
	}
	if n.done != nil {
		<-n.done
	}
	n.pid = 0
}

// Pause stops the node: its connections stay open, and it answers nothing. All threads have stopped
// when Pause returns.
func (n *Node) Pause() error {
	if err := n.signal(syscall.SIGSTOP); err != nil {
		return err
	}
	for !n.standsStill() {
		_ = pause(context.Background())
	}
	return nil
}

// standsStill reports whether all threads are stopped, or there are none.
func (n *Node) standsStill() bool {
	n.mu.Lock()
	files, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", n.pid))
	n.mu.Unlock()
	for _, file := range files {
		text, err := os.ReadFile(file)
		// pid (name) state ...; the name may contain any character
		end := bytes.LastIndexByte(text, ')')
		if err == nil && end >= 0 && !bytes.HasPrefix(text[end:], []byte(") T")) {
			return false
		}
	}
	return true
}

// Resume lets a paused node go on.
func (n *Node) Resume() error { return n.signal(syscall.SIGCONT) }

func (n *Node) signal(s syscall.Signal) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.runningLocked() {
		return fmt.Errorf("cassandratest: node %s is not running", n.Name)
	}
	if err := syscall.Kill(-n.pid, s); err != nil {
		return fmt.Errorf("cassandratest: signal node %s: %w", n.Name, err)
	}
	return nil
}

// tail returns the last lines of the node's log, for reports.
func (n *Node) tail(lines int) string {
	var b strings.Builder
	for _, file := range []string{filepath.Join(n.dir, outputFile), n.LogFile()} {
		text, err := os.ReadFile(file)
		if err != nil || len(text) == 0 {
			continue
		}
		all := strings.Split(strings.TrimSpace(string(text)), "\n")
		fmt.Fprintf(&b, "--- %s\n%s\n", file, strings.Join(all[max(0, len(all)-lines):], "\n"))
	}
	return b.String()
}
