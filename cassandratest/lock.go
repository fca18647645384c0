package cassandratest

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile takes the exclusive lock of a file, and makes a missing file. The lock ends with unlock or
// with the process. Without wait, a foreign lock is the error EWOULDBLOCK.
func lockFile(path string, wait bool) (unlock func(), err error) {
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	f, err := openLocked(path, how)
	if err != nil {
		return nil, err
	}
	return func() { f.Close() }, nil
}

// openLocked opens a file, makes a missing file, and locks the file as flock does.
func openLocked(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	if err := flock(f, how); err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

func flock(f *os.File, how int) error {
	for {
		err := syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Networks for clusters that did not ask for a network.
const (
	firstNetwork = 10
	lastNetwork  = 99
)

// The highest networks that a cluster can ask for: K in 127.K.N.M, and in 10.(100+K).N.M.
const (
	maxNetwork       = 254
	maxLinkedNetwork = 155
)

// takeNetwork reserves a network; zero takes a free network.
func takeNetwork(asked int) (network int, release func(), err error) {
	first, last := asked, asked
	if asked == 0 {
		first, last = firstNetwork, lastNetwork
	}
	for k := first; k <= last; k++ {
		release, err = lockNetwork(k)
		if err == nil {
			if err = inUse(k); err != nil {
				release()
			}
		}
		if err == nil {
			return k, release, nil
		}
	}
	return 0, nil, fmt.Errorf("cassandratest: no free network from %d to %d: %w", first, last, err)
}

// lockNetwork takes a network free of other processes, whether or not nodes listen there.
func lockNetwork(k int) (release func(), err error) {
	return lockFile(filepath.Join(os.TempDir(), fmt.Sprintf("popelago-cassandra-%d.lock", k)), false)
}

// inUse returns an error if nodes listen on a network: detached nodes, whose cluster needs no
// process with the lock.
func inUse(k int) error {
	if listening(address(k, 1, 1)) {
		return fmt.Errorf("a server listens on %s already", address(k, 1, 1))
	}
	l := link{network: k}
	if _, err := net.InterfaceByName(l.host()); err == nil && listening(linkedAddress(k, 1, 1)) {
		return fmt.Errorf("a server listens on %s already", linkedAddress(k, 1, 1))
	}
	return nil
}

func address(network, datacenter, node int) string {
	return fmt.Sprintf("127.%d.%d.%d", network, datacenter, node)
}
