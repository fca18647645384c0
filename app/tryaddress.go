package app

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// errTried ends the attempt of tryAddress before the socket listens.
var errTried = errors.New("the address is free")

// tryAddress returns the error with which a listener on an address would fail. tryAddress binds a socket and does
// not listen: a server that starts at the same moment gets the address. Of a unix socket only the folder is examined.
func tryAddress(ctx context.Context, network, address string) error {
	if path, isUnix := strings.CutPrefix(address, "unix:"); isUnix {
		_, err := os.Stat(filepath.Dir(path))
		return err
	}
	attempt := net.ListenConfig{Control: func(_, resolved string, c syscall.RawConn) error {
		if strings.HasPrefix(resolved, ":") {
			resolved = "[::]" + resolved
		}
		place, err := netip.ParseAddrPort(resolved)
		if err != nil {
			return err
		}
		return errors.Join(c.Control(func(fd uintptr) { err = bind(int(fd), place) }), err)
	}}
	l, err := attempt.Listen(ctx, network, address)
	if errors.Is(err, errTried) {
		return nil
	}
	if err == nil {
		err = l.Close()
	}
	return err
}

// bind binds a socket that Go has made. bind returns errTried if the address is free.
func bind(fd int, place netip.AddrPort) error {
	zone, err := zoneID(place.Addr().Zone())
	if err != nil {
		return err
	}
	var to unix.Sockaddr = &unix.SockaddrInet6{Port: int(place.Port()), Addr: place.Addr().As16(), ZoneId: zone}
	if domain, err := unix.GetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_DOMAIN); err != nil {
		return err
	} else if domain == unix.AF_INET {
		v4 := place.Addr().Unmap()
		if !v4.Is4() { // the unspecified address
			v4 = netip.IPv4Unspecified()
		}
		to = &unix.SockaddrInet4{Port: int(place.Port()), Addr: v4.As4()}
	}
	if err := unix.Bind(fd, to); err != nil {
		return os.NewSyscallError("bind", err)
	}
	return errTried
}

// zoneID returns the number of a zone, which is the name or the number of a network interface; empty: 0.
func zoneID(zone string) (uint32, error) {
	if zone == "" {
		return 0, nil
	}
	if n, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(n), nil
	}
	i, err := net.InterfaceByName(zone)
	if err != nil {
		return 0, err
	}
	return uint32(i.Index), nil
}
