package process

import (
	"os"
	"os/exec"
	"testing"
	"time"
)

func TestCPU(t *testing.T) {
	got, err := parseCPU([]byte("4242 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 130 7 8 20 0 1 0 100 1000 200"))
	if want := 3800 * time.Millisecond; err != nil || got != want {
		t.Errorf("%v, %v, want %v", got, err, want)
	}
	for _, text := range []string{"", "1 (a) S 1 2", "1 (a) S 1 2 3 4 5 6 7 8 9 10 x 130 7"} {
		if got, err := parseCPU([]byte(text)); err == nil {
			t.Errorf("%q: %v", text, got)
		}
	}
	before, err := CPU(os.Getpid())
	if err != nil {
		t.Skip(err)
	}
	for after := before; after <= before; { // ends at the limit of tests if work does not count
		_, _ = parseCPU([]byte("1 (a) S 1 2 3 4 5 6 7 8 9 10 1 1 7"))
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
