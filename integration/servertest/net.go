package servertest

import (
	"fmt"
	"net"
	"sync"
	"testing"
	"time"

	"popelago/freeport"
)

// ports holds the ports that FreeAddress has returned in this process.
var ports sync.Map

// FreeAddress returns an address of this machine on which nothing listens. No two calls in a process
// return the same address.
func FreeAddress(t testing.TB) string {
	t.Helper()
	for {
		port, err := freeport.Take(1)
		if err != nil {
			t.Fatal(err)
		}
		if _, given := ports.LoadOrStore(port[0], true); !given {
			return fmt.Sprint("127.0.0.1:", port[0])
		}
	}
}

// Dialable returns nil if a program accepts connections at an address.
func Dialable(address string) error {
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err == nil {
		c.Close()
	}
	return err
}
