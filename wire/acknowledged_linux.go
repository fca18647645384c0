package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// socketQueue counts the octets written to nc that the peer's system has not acknowledged; zero
// for a connection without a socket. The error belongs to a connection that has failed.
func socketQueue(nc net.Conn) (octets int, err error) {
	socket, ok := nc.(syscall.Conn)
	if !ok {
		return 0, nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	if closed := raw.Control(func(fd uintptr) {
		// A reset empties the queue, and leaves an error.
		if failure, getErr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); getErr == nil && failure != 0 {
			err = syscall.Errno(failure)
			return
		}
		if octets, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); octets > 0 && tcpClosed(int(fd)) {
			err = syscall.ECONNRESET
		}
	}); closed != nil {
		return 0, closed
	}
	return octets, err
}

// tcpClosed reports whether the kernel has closed a TCP connection.
func tcpClosed(fd int) bool {
	const tcpClose = 7 // TCP_CLOSE of the kernel's tcp_states.h
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpClose
}
