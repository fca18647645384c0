package wire

import (
	"net"
	"syscall"

	"golang.org/x/sys/unix"
)

// unacknowledged is how many octets were written to nc that its peer's system has not
// acknowledged; zero for connections that are no sockets. The error is that of a connection
// that has failed.
func unacknowledged(nc net.Conn) (n int, err error) {
	socket, ok := nc.(syscall.Conn)
	if !ok {
		return 0, nil
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return 0, err
	}
	if closed := raw.Control(func(fd uintptr) {
		// A reset leaves no octets waiting, but an error.
		if failure, getErr := unix.GetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_ERROR); getErr == nil && failure != 0 {
			err = syscall.Errno(failure)
			return
		}
		if n, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ); n > 0 && gone(int(fd)) {
			err = syscall.ECONNRESET
		}
	}); closed != nil {
		return 0, closed
	}
	return n, err
}

// gone reports whether a TCP connection is no more.
func gone(fd int) bool {
	const tcpClose = 7 // TCP_CLOSE of the kernel's tcp_states.h
	info, err := unix.GetsockoptTCPInfo(fd, unix.IPPROTO_TCP, unix.TCP_INFO)
	return err == nil && info.State == tcpClose
}
