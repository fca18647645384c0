package app

import (
	"net"
	"os"
	"path/filepath"
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
