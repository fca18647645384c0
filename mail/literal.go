package mail

import (
	"fmt"
	"net/netip"
	"strings"
)

// literalTag marks an IPv6 address in an address literal (RFC 5321 section 4.1.3).
const literalTag = "IPv6:"

// LiteralAddress is the IP address in an address literal, [192.0.2.1] or [IPv6:2001:db8::1] (RFC 5321
// section 4.1.3). False: s is no address literal.
func LiteralAddress(s string) (netip.Addr, bool) {
	if !strings.HasPrefix(s, "[") || !strings.HasSuffix(s, "]") {
		return netip.Addr{}, false
	}
	s = s[1 : len(s)-1]
	tagged := len(s) > len(literalTag) && strings.EqualFold(s[:len(literalTag)], literalTag)
	if tagged {
		s = s[len(literalTag):]
	}
	a, err := netip.ParseAddr(s)
	if err != nil || a.Is6() != tagged || a.Zone() != "" {
		return netip.Addr{}, false
	}
	return a, true
}

// literal is the address literal of an IP address.
func literal(a netip.Addr) string {
	if a.Is4() {
		return "[" + a.String() + "]"
	}
	return "[" + literalTag + a.String() + "]"
}

// CanonicalHostname is the name of a host for greetings and trace lines: CanonicalDomain, or an address
// literal (RFC 5321 section 4.1.3) if s is an IP address, with or without brackets. Errors:
// ErrBadAddress.
func CanonicalHostname(s string) (string, error) {
	if a, ok := LiteralAddress(s); ok {
		return literal(a), nil
	}
	if a, err := netip.ParseAddr(strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")); err == nil {
		if a.Zone() != "" {
			return "", fmt.Errorf("%w: %s is an address of one link only", ErrBadAddress, quoted(s))
		}
		return literal(a), nil
	}
	return CanonicalDomain(s)
}
