package mail

import "net/netip"

// ClientNetwork returns the network that limits for strangers count a client by: an IPv4 /24 or an IPv6 /48, since single
// clients get that much. It is the zero Prefix for a client without address.
func ClientNetwork(a netip.Addr) netip.Prefix { return prefix(a, 24, 48) }

// ClientRegion returns the IPv6 /32 of a client: the least that a provider gets, with 65,536 networks. It is the zero Prefix for
// IPv4, and for a client without address.
func ClientRegion(a netip.Addr) netip.Prefix { return prefix(a, -1, 32) }

// prefix returns the network of an address with some bits for IPv4 and for IPv6.
func prefix(a netip.Addr, bits4, bits6 int) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := bits4
	if a.Is6() {
		bits = bits6
	}
	p, _ := a.Prefix(bits) // zero with an error
	return p
}
