package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

// TestForeignSocket: a closing server removes its own socket, and not the socket that a later server
// has made in the same place.
func TestForeignSocket(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	socket := service{name: "test", address: "unix:" + path, mode: 0o600}
	first, err := socket.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	second, err := socket.listen(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if err := first.Close(); err != nil {
		t.Error(err)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatalf("the second server after the first has closed: %v", err)
	}
	c.Close()
	if err := second.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Lstat(path); !os.IsNotExist(err) {
		t.Errorf("the socket after its own server has closed: %v", err)
	}
}

// TestSocketIsPrivateAtOnce: nobody can open a socket before it has its mode, and a start leaves nothing else behind.
func TestSocketIsPrivateAtOnce(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "socket")
	watch, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case <-watch:
				return
			default:
			}
			if info, err := os.Lstat(path); err == nil && info.Mode().Perm() != 0o600 {
				t.Errorf("the socket has the mode %v", info.Mode())
				return
			}
		}
	}()
	for range 200 {
		l, err := service{name: "test", address: "unix:" + path, mode: 0o600}.listen(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if got := l.Addr().String(); got != path {
			t.Errorf("the address is %s, want %s", got, path)
		}
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	close(watch)
	<-done
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// TestSocketTaken: of two servers that start at the same time, one gets the socket.
func TestSocketTaken(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	first, err := listenUnix(t.Context(), path, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer first.Close()
	if l, err := listenUnix(t.Context(), path, 0o600); !errors.Is(err, syscall.EADDRINUSE) {
		t.Errorf("the second server: %v, %v, want %v", l, err, syscall.EADDRINUSE)
	}
	c, err := net.Dial("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	c.Close()
}

// TestLeftSocketGoes: a start removes the folder that a process killed while it made a socket has left, and no other folder.
func TestLeftSocketGoes(t *testing.T) {
	dir := t.TempDir()
	long := time.Now().Add(-time.Hour)
	leave := func(name string, mode os.FileMode, at time.Time, inside ...string) {
		t.Helper()
		folder := filepath.Join(dir, name)
		if err := os.Mkdir(folder, mode); err != nil {
			t.Fatal(err)
		}
		for _, file := range inside {
			if file != "s" {
				if err := os.WriteFile(filepath.Join(folder, file), nil, 0o600); err != nil {
					t.Fatal(err)
				}
				continue
			}
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(folder, file), Net: "unix"})
			if err != nil {
				t.Fatal(err)
			}
			l.SetUnlinkOnClose(false)
			l.Close()
		}
		if err := os.Chtimes(folder, at, at); err != nil {
			t.Fatal(err)
		}
	}
	leave(".s1", 0o700, long, "s")
	leave(".s22", 0o700, long)
	stay := []string{".s3", ".s4", ".s5", ".s6", ".sock", ".s"}
	leave(stay[0], 0o700, time.Now(), "s") // of a start at the same time
	leave(stay[1], 0o755, long, "s")
	leave(stay[2], 0o700, long, "s", "notes")
	leave(stay[3], 0o700, long, "notes")
	leave(stay[4], 0o700, long, "s")
	leave(stay[5], 0o700, long, "s")
	l, err := listenUnix(t.Context(), filepath.Join(dir, "socket"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	for _, name := range []string{".s1", ".s22"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !os.IsNotExist(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range stay {
		if _, err := os.Lstat(filepath.Join(dir, name)); err != nil {
			t.Error(err)
		}
	}
}
