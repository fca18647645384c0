package app

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
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
