package servertest

import (
	"fmt"
	"math/rand/v2"
	"net"
	"sync"
	"testing"
	"time"
)

// ports holds the ports that FreeAddress has returned in this process.
var ports sync.Map

// FreeAddress returns an address of this machine on which nothing listens. No two calls in a process
// return the same address. The port is below the ports of outgoing connections, so that the port
// stays free for a while.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for range 1000 {
		port := 20_000 + rand.IntN(12_000)
		if _, given := ports.LoadOrStore(port, true); given {
			continue
		}
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			defer l.Close()
			return l.Addr().String()
		}
	}
	t.Fatal("no free port")
	return ""
}

// Dialable returns nil if a program accepts connections at an address.
func Dialable(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err == nil {
		c.Close()
	}
	return err
}
