package cassandratest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// lockFile takes the exclusive lock of a file, which it makes if need be. The lock ends with
// unlock or with the process. Without wait, a lock that somebody else holds is the error
// EWOULDBLOCK.
func lockFile(path string, wait bool) (unlock func(), err error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, err
	}
	how := syscall.LOCK_EX
	if !wait {
		how |= syscall.LOCK_NB
	}
	for {
		err = syscall.Flock(int(f.Fd()), how)
		if !errors.Is(err, syscall.EINTR) {
			break
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return func() { f.Close() }, nil
}

// Networks that are given out to clusters that did not ask for one.
const (
	firstNetwork = 10
	lastNetwork  = 99
)

// takeNetwork reserves a network, or any free one if asked for zero.
func takeNetwork(asked int) (network int, release func(), err error) {
	first, last := asked, asked
	if asked == 0 {
		first, last = firstNetwork, lastNetwork
	}
	for k := first; k <= last; k++ {
		release, err = lockFile(filepath.Join(os.TempDir(), fmt.Sprintf("popelago-cassandra-%d.lock", k)), false)
		if err == nil && listening(address(k, 1, 1)) {
			release() // nodes that a process left behind
			err = fmt.Errorf("a server listens on %s already", address(k, 1, 1))
		}
		if err == nil {
			return k, release, nil
		}
	}
	return 0, nil, fmt.Errorf("cassandratest: no free network from %d to %d: %w", first, last, err)
}

func address(network, datacenter, node int) string {
	return fmt.Sprintf("127.%d.%d.%d", network, datacenter, node)
}
