package mail

import "net/netip"

// ClientNetwork returns the network that limits for strangers count a client by: an IPv4 /24 or an IPv6 /48, since single
// clients get that much. It is the zero Prefix for a client without address.
func ClientNetwork(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := 24
	if a.Is6() {
		bits = 48
	}
	p, _ := a.Prefix(bits) // zero with an error
	return p
}
