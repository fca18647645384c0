//go:build !linux

package wire

import "net"

// socketQueue is always zero: only Linux reports the queue of a socket.
func socketQueue(net.Conn) (octets int, err error) { return 0, nil }
