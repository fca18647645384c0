package integration

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"popelago/mailtest"
)

// TestFullDisk fills the file system of the data folder, first below the reserve, then to the
// last octet. Mail is refused for now, fetching and (above zero) removing go on, and once
// there is space again everything works without a restart.
func TestFullDisk(t *testing.T) {
	disk := smallDisk(t, 256<<20)
	ballast := filepath.Join(disk, "ballast")
	s := startServer(t, setup{data: filepath.Join(disk, "data"), settings: []string{`store.reserve = "32MiB"`}})
	a := s.account(t, "alice")
	c := s.lmtpSession(t)
	for n := range 5 {
		send(t, c, sender(smallName(n)), []account{a}, smallMessage(n))
	}
	c.Close()

	fill(t, ballast, available(t, disk)-16<<20)
	for _, octets := range [][]byte{smallMessage(5), mailtest.Large(1 << 20)} {
		if reply := s.attempt(t, a, octets); !strings.HasPrefix(reply, "452 ") {
			t.Errorf("below the reserve the reply to %d octets is %q", len(octets), reply)
		}
	}
	p := s.login(t, a)
	p.Do("RETR 1", "+OK")
	if got := p.ReadMultiline(); !bytes.HasSuffix(got, smallMessage(0)) {
		t.Errorf("RETR gave %q", got)
	}
	p.Do("DELE 1", "+OK")
	p.Do("QUIT", "+OK")
	s.wantSmall(t, a, 1, 2, 3, 4)
	empty(t, ballast)
	s.waitUntilTaken(t, a, 5)
	s.wantSmall(t, a, 1, 2, 3, 4, 5)

	fill(t, ballast, 1<<40)
	if reply := s.attempt(t, a, mailtest.Large(1<<20)); !strings.HasPrefix(reply, "45") {
		t.Errorf("on a full disk the reply is %q", reply)
	}
	s.wantSmall(t, a, 1, 2, 3, 4, 5)
	p = s.login(t, a)
	p.Do("DELE 1", "+OK")
	p.Cmd("QUIT")
	removed := strings.HasPrefix(p.Expect(""), "+OK")
	empty(t, ballast)
	s.waitUntilTaken(t, a, 6)
	if removed {
		s.wantSmall(t, a, 2, 3, 4, 5, 6)
	} else {
		t.Log("nothing could be removed on a disk without any space, and the server said so")
		mailtest.WaitFor(t, startLimit, func() error {
			if n := s.count(t, a); n != 5 && n != 6 {
				return fmt.Errorf("%d messages", n)
			}
			return nil
		})
	}
	s.stop(t)
	s.start(t)
	if n := s.count(t, a); removed && n != 5 {
		t.Errorf("%d messages after a restart, want 5", n)
	}
}

// smallDisk mounts a file system of its own in memory.
func smallDisk(t testing.TB, octets int) string {
	t.Helper()
	needRoot(t)
	dir := publicDir(t)
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", octets)); err != nil {
		cannot(t, fmt.Sprintf("cannot mount a tmpfs: %v", err))
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func available(t testing.TB, dir string) int64 {
	t.Helper()
	var fs syscall.Statfs_t
	if err := syscall.Statfs(dir, &fs); err != nil {
		t.Fatal(err)
	}
	return int64(fs.Bavail) * fs.Bsize
}

// fill makes a file of so many octets, or of as many as there are.
func fill(t testing.TB, name string, octets int64) {
	t.Helper()
	f, err := os.Create(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	chunk := make([]byte, 64<<10)
	for octets > 0 {
		n, err := f.Write(chunk[:min(octets, int64(len(chunk)))])
		octets -= int64(n)
		if errors.Is(err, syscall.ENOSPC) {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func empty(t testing.TB, name string) {
	t.Helper()
	if err := os.Remove(name); err != nil {
		t.Fatal(err)
	}
}

// attempt tries to deliver and returns the reply that decided.
func (s *server) attempt(t testing.TB, to account, octets []byte) string {
	t.Helper()
	c := s.lmtpSession(t)
	defer c.Close()
	for _, command := range []string{"MAIL FROM:<" + sender("attempt") + ">", "RCPT TO:<" + to.address + ">", "DATA"} {
		c.Cmd(command)
		if reply := c.Line(); reply[0] != '2' && reply[0] != '3' {
			return reply
		}
	}
	c.Send(stuff(octets) + ".\r\n")
	return c.Line()
}

// waitUntilTaken delivers small message n as soon as the server takes mail again.
func (s *server) waitUntilTaken(t testing.TB, to account, n int) {
	t.Helper()
	mailtest.WaitFor(t, 2*time.Minute, func() error {
		if reply := s.attempt(t, to, smallMessage(n)); !strings.HasPrefix(reply, "250 ") {
			return errors.New(reply)
		}
		return nil
	})
}

// wantSmall checks which small messages are in a maildrop, in order.
func (s *server) wantSmall(t testing.TB, a account, numbers ...int) {
	t.Helper()
	all := s.maildrop(t, a)
	for i, n := range numbers {
		if i >= len(all) || !bytes.HasSuffix(all[i].octets, smallMessage(n)) {
			t.Fatalf("%d messages; number %d is not %q", len(all), i+1, smallMessage(n))
		}
	}
	if len(all) != len(numbers) {
		t.Errorf("%d messages, want %d", len(all), len(numbers))
	}
}
