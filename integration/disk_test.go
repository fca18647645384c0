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

	"popelago/integration/servertest"
	"popelago/mailtest"
)

// TestFullDisk fills the file system of the data folder, first below the reserve, then to the
// last octet. Mail is refused for now, fetching and (above zero) removing go on, and once
// there is space again everything works without a restart.
func TestFullDisk(t *testing.T) {
	disk := servertest.SmallDisk(t, 256<<20)
	ballast := filepath.Join(disk, "ballast")
	s := servertest.StartServer(t, servertest.Setup{Data: filepath.Join(disk, "data"), Settings: []string{`store.reserve = "32MiB"`}})
	a := s.Account(t, "alice")
	c := s.LMTPSession(t)
	for n := range 5 {
		servertest.Send(t, c, servertest.Sender(servertest.SmallName(n)), []servertest.Account{a}, servertest.SmallMessage(n))
	}
	c.Close()

	fill(t, ballast, available(t, disk)-16<<20)
	for _, octets := range [][]byte{servertest.SmallMessage(5), mailtest.Large(1 << 20)} {
		if reply := attempt(t, s, a, octets); !strings.HasPrefix(reply, "452 ") {
			t.Errorf("below the reserve the reply to %d octets is %q", len(octets), reply)
		}
	}
	p := s.Login(t, a)
	p.Do("RETR 1", "+OK")
	if got := p.ReadMultiline(); !bytes.HasSuffix(got, servertest.SmallMessage(0)) {
		t.Errorf("RETR gave %q", got)
	}
	p.Do("DELE 1", "+OK")
	p.Do("QUIT", "+OK")
	wantSmall(t, s, a, 1, 2, 3, 4)
	empty(t, ballast)
	waitUntilTaken(t, s, a, 5)
	wantSmall(t, s, a, 1, 2, 3, 4, 5)

	fill(t, ballast, 1<<40)
	if reply := attempt(t, s, a, mailtest.Large(1<<20)); !strings.HasPrefix(reply, "45") {
		t.Errorf("on a full disk the reply is %q", reply)
	}
	wantSmall(t, s, a, 1, 2, 3, 4, 5)
	p = s.Login(t, a)
	p.Do("DELE 1", "+OK")
	p.Cmd("QUIT")
	removed := strings.HasPrefix(p.Expect(""), "+OK")
	empty(t, ballast)
	waitUntilTaken(t, s, a, 6)
	if removed {
		wantSmall(t, s, a, 2, 3, 4, 5, 6)
	} else {
		t.Log("nothing could be removed on a disk without any space, and the server said so")
		mailtest.WaitFor(t, servertest.StartLimit, func() error {
			if n := s.Count(t, a); n != 5 && n != 6 {
				return fmt.Errorf("%d messages", n)
			}
			return nil
		})
	}
	s.Stop(t)
	s.Start(t)
	if n := s.Count(t, a); removed && n != 5 {
		t.Errorf("%d messages after a restart, want 5", n)
	}
}

// TestStartOnFullDisk restarts the server on a disk without an octet, or without a name, to
// spare: people fetch their mail, and mail is taken again once there is space, without another
// restart.
func TestStartOnFullDisk(t *testing.T) {
	for what, fill := range map[string]func(t *testing.T, dir string){
		"octets": func(t *testing.T, dir string) { fill(t, filepath.Join(dir, "octets"), 1<<40) },
		"inodes": func(t *testing.T, dir string) {
			var err error
			for n := 0; err == nil; n++ {
				err = os.WriteFile(filepath.Join(dir, fmt.Sprint(n)), nil, 0o600)
			}
			if !errors.Is(err, syscall.ENOSPC) {
				t.Fatal(err)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			disk := servertest.SmallDisk(t, 128<<20)
			s := servertest.StartServer(t, servertest.Setup{Data: filepath.Join(disk, "data"), Settings: []string{`store.reserve = "32MiB"`}})
			a := s.Account(t, "alice")
			c := s.LMTPSession(t)
			for n := range 3 {
				servertest.Send(t, c, servertest.Sender(servertest.SmallName(n)), []servertest.Account{a}, servertest.SmallMessage(n))
			}
			c.Close()
			s.Stop(t)
			ballast := filepath.Join(disk, "ballast")
			if err := os.Mkdir(ballast, 0o700); err != nil {
				t.Fatal(err)
			}
			fill(t, ballast)
			s.Start(t)
			wantSmall(t, s, a, 0, 1, 2)
			if what == "octets" {
				if reply := attempt(t, s, a, servertest.SmallMessage(3)); !strings.HasPrefix(reply, "452 ") {
					t.Errorf("on a full disk the reply is %q", reply)
				}
			}
			if err := os.RemoveAll(ballast); err != nil {
				t.Fatal(err)
			}
			waitUntilTaken(t, s, a, 3)
			wantSmall(t, s, a, 0, 1, 2, 3)
			mailtest.WaitFor(t, 10*time.Minute, func() error {
				_, err := os.Stat(filepath.Join(disk, "data", "admin.sock"))
				return err
			})
		})
	}
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

// attempt tries to deliver and returns the deciding reply.
func attempt(t testing.TB, s *servertest.Server, to servertest.Account, octets []byte) string {
	t.Helper()
	c := s.LMTPSession(t)
	defer c.Close()
	for _, command := range []string{"MAIL FROM:<" + servertest.Sender("attempt") + ">", "RCPT TO:<" + to.Address + ">", "DATA"} {
		c.Cmd(command)
		if reply := c.Line(); reply[0] != '2' && reply[0] != '3' {
			return reply
		}
	}
	c.Send(servertest.Stuff(octets) + ".\r\n")
	return c.Line()
}

// waitUntilTaken delivers small message n as soon as the server takes mail again.
func waitUntilTaken(t testing.TB, s *servertest.Server, to servertest.Account, n int) {
	t.Helper()
	mailtest.WaitFor(t, 10*time.Minute, func() error {
		if reply := attempt(t, s, to, servertest.SmallMessage(n)); !strings.HasPrefix(reply, "250 ") {
			return errors.New(reply)
		}
		return nil
	})
}

// wantSmall checks which small messages are in a maildrop, in order.
func wantSmall(t testing.TB, s *servertest.Server, a servertest.Account, numbers ...int) {
	t.Helper()
	all := s.Maildrop(t, a)
	for i, n := range numbers {
		if i >= len(all) || !bytes.HasSuffix(all[i].Octets, servertest.SmallMessage(n)) {
			t.Fatalf("%d messages; number %d is not %q", len(all), i+1, servertest.SmallMessage(n))
		}
	}
	if len(all) != len(numbers) {
		t.Errorf("%d messages, want %d", len(all), len(numbers))
	}
}
