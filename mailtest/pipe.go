package mailtest

import (
	"net"
	"net/netip"
)

// Pipe is net.Pipe with a client address at the server's end, such as 192.0.2.1; empty: no address, as
// on a unix socket.
func Pipe(remote string) (client, server net.Conn) {
	client, server = net.Pipe()
	if remote == "" {
		return client, server
	}
	addr := net.TCPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(remote), 49152))
	return client, &remoteConn{Conn: server, addr: addr}
}

type remoteConn struct {
	net.Conn
	addr net.Addr
}

func (c *remoteConn) RemoteAddr() net.Addr { return c.addr }
