package process

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

func TestCPU(t *testing.T) {
	got, err := parseCPU([]byte("4242 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 130 7 8 20 0 1 0 100 1000 200"))
	if want := 3800 * time.Millisecond; err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	parent, _, ended, err := parseStat([]byte("4242 (a) b (c) S 17 2 3 4 5 6 7 8 9 10 250 130 7 8 20 0 1 0 100 1000 200"))
	if parent != 17 || ended != 150*time.Millisecond || err != nil {
		t.Errorf("parent %d, ended children %v, %v", parent, ended, err)
	}
	for _, text := range []string{"", "1 (a) S 1 2", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 130 7 8"} {
		if got, err := parseCPU([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	for after := before; after <= before; { // ends at the limit of tests if work does not count
		_, _ = parseCPU([]byte("1 (a) S 1 2 3 4 5 6 7 8 9 10 1 1 7 8"))
		if after, err = CPU(os.Getpid()); err != nil {
			t.Fatal(err)
		}
	}
}

// A child counts once it has ended.
func TestOwnCPU(t *testing.T) {
	before, err := OwnCPU()
	if err != nil {
		t.Fatal(err)
	}
	for after := before; after <= before; { // ends at the limit of tests if no child counts
		if err := exec.Command(os.Args[0], "-test.run", "^$").Run(); err != nil {
			t.Fatal(err)
		}
		if after, err = OwnCPU(); err != nil {
			t.Fatal(err)
		}
	}
}

// Processes that a server has started count, while they run and once they have ended.
func TestServerCPU(t *testing.T) {
	for what, script := range map[string]string{"running": "sh -c 'while :; do :; done' & wait", "ended": "while :; do sh -c 'i=0; while [ $i -lt 9999 ]; do i=$((i+1)); done'; sleep 0.01; done"} {
		s := &Server{Name: what, Log: filepath.Join(t.TempDir(), "log")}
		if err := s.Start(t.Context(), "sh", "-c", script); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { syscall.Kill(-s.PID(), syscall.SIGKILL) })
		for {
			own, err := CPU(s.PID())
			all, allErr := s.CPU()
			if err != nil || allErr != nil {
				t.Fatal(err, allErr)
			}
			if all > own+500*time.Millisecond { // the test ends at the limit of tests if children do not count
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}
