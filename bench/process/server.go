package process

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Server is a server under test.
type Server struct {
	Name string
	LMTP string // address; empty: none
	POP3 string // address; empty: none
	Log  string // file with the output
	// Others are further addresses that must accept connections before the server counts as started.
	Others []string
	// Env adds variables to the environment of the program.
	Env []string
	// Patience is the longest wait for each address at the start; zero: 20 s. With patience an end may take two minutes in
	// place of 30 s.
	Patience time.Duration

	cmd  *exec.Cmd
	done chan error
}

// mostSaid is the most octets of a log that an error shows, from its end.
const mostSaid = 16 << 10

// Start runs the server's program and waits until all addresses answer. The caller stops the server.
func (s *Server) Start(ctx context.Context, name string, args ...string) error {
	out, err := os.OpenFile(s.Log, os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o644)
	if err != nil {
		return err
	}
	defer out.Close()
	s.cmd = exec.Command(name, args...)
	s.cmd.Stdout, s.cmd.Stderr = out, out
	s.cmd.Env = append(os.Environ(), s.Env...)
	// A process group for the server: Ctrl-C reaches only this command, which stops the server.
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGTERM}
	if err := s.cmd.Start(); err != nil {
		s.cmd = nil
		return err
	}
	s.done = make(chan error, 1)
	go func(cmd *exec.Cmd, done chan<- error) { done <- cmd.Wait() }(s.cmd, s.done)
	err = s.allAnswer(ctx, greeting, s.LMTP, s.POP3)
	if err == nil {
		err = s.allAnswer(ctx, accepts, s.Others...)
	}
	if err != nil {
		s.Stop()
		said, _ := os.ReadFile(s.Log)
		return fmt.Errorf("%s does not answer on %w\n%s", s.Name, err, said[max(0, len(said)-mostSaid):])
	}
	return nil
}

// allAnswer waits until check succeeds for each address of the server that is not empty. Its error names the address.
func (s *Server) allAnswer(ctx context.Context, check func(addr string) error, addrs ...string) error {
	for _, addr := range addrs {
		if addr == "" {
			continue
		}
		if err := s.answers(ctx, addr, check); err != nil {
			return fmt.Errorf("%s: %w", addr, err)
		}
	}
	return nil
}

// answers waits until check succeeds for an address of the server.
func (s *Server) answers(ctx context.Context, addr string, check func(addr string) error) error {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(s.Patience, 20*time.Second))
	defer cancel()
	for {
		err := check(addr)
		if err == nil {
			return nil
		}
		select {
		case exit := <-s.done:
			s.done <- exit
			return fmt.Errorf("it has ended: %v", exit)
		case <-ctx.Done():
			return err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// greeting connects to addr and reads a line.
func greeting(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, err = bufio.NewReader(conn).ReadString('\n')
	return err
}

// accepts connects to addr.
func accepts(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// Stop ends the server, if it runs, and waits for its end.
func (s *Server) Stop() error {
	if s.cmd == nil {
		return nil
	}
	process, patience := s.cmd.Process, cmp.Or(min(s.Patience, 2*time.Minute), 30*time.Second)
	s.cmd = nil
	process.Signal(syscall.SIGTERM)
	select {
	case <-s.done:
		return nil
	case <-time.After(patience):
		process.Kill()
		<-s.done
		return fmt.Errorf("%s did not stop within %s and was killed", s.Name, patience)
	}
}

// Memory returns the resident memory of the server's process in octets.
func (s *Server) Memory() (int64, error) {
	b, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(s.cmd.Process.Pid), "status"))
	if err != nil {
		return 0, err
	}
	for line := range bytes.Lines(b) {
		if f := strings.Fields(string(line)); len(f) == 3 && f[0] == "VmRSS:" {
			kib, err := strconv.ParseInt(f[1], 10, 64)
			return kib << 10, err
		}
	}
	return 0, errors.New("no VmRSS in /proc")
}

// Run runs a program to its end, with stdin as its input. On failure its output is part of the
// error.
func Run(ctx context.Context, stdin []byte, name string, args ...string) error {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	return output(cmd)
}

// output runs a command to its end. On failure its output is part of the error.
func output(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return nil
}
