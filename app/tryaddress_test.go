package app

import (
	"net"
	"net/netip"
	"testing"
)

// An address of one link has a zone, without which no socket can be bound.
func TestTryAddressWithZone(t *testing.T) {
	interfaces, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range interfaces {
		addrs, err := i.Addrs()
		if err != nil {
			continue // the interface may be gone
		}
		for _, a := range addrs {
			p, err := netip.ParsePrefix(a.String())
			if err != nil || !p.Addr().Is6() || !p.Addr().IsLinkLocalUnicast() || i.Flags&net.FlagUp == 0 {
				continue
			}
			address := net.JoinHostPort(p.Addr().WithZone(i.Name).String(), "0")
			l, err := net.Listen("tcp", address)
			if err != nil {
				continue // not usable yet
			}
			l.Close()
			if err := tryAddress(t.Context(), "tcp", address); err != nil {
				t.Errorf("%s: %v", address, err)
			}
			return
		}
	}
	t.Skip("no network interface has an IPv6 address of its link")
}

// A zone is the name or the number of an interface.
func TestZoneID(t *testing.T) {
	lo, err := net.InterfaceByName("lo")
	if err != nil {
		t.Skip(err)
	}
	for zone, want := range map[string]uint32{"": 0, "7": 7, "lo": uint32(lo.Index)} {
		if got, err := zoneID(zone); err != nil || got != want {
			t.Errorf("zone %q: %d, %v; want %d", zone, got, err, want)
		}
	}
	if _, err := zoneID("nowhere"); err == nil {
		t.Error("an unknown interface has a number")
	}
}
