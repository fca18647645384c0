package mail_test

import (
	"net/netip"
	"testing"

	"popelago/mail"
)

func TestClientNetwork(t *testing.T) {
	for text, want := range map[string]string{
		"192.0.2.7": "192.0.2.0/24", "::ffff:192.0.2.7": "192.0.2.0/24",
		"2001:db8:1:2::3": "2001:db8:1::/48", "fe80::1%eth0": "fe80::/48",
	} {
		if got := mail.ClientNetwork(netip.MustParseAddr(text)); got != netip.MustParsePrefix(want) {
			t.Errorf("%s: %v, want %s", text, got, want)
		}
	}
	if got := mail.ClientNetwork(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address: %v", got)
	}
}

func TestClientRegion(t *testing.T) {
	for text, want := range map[string]netip.Prefix{
		"2001:db8:1:2::3": netip.MustParsePrefix("2001:db8::/32"), "192.0.2.7": {}, "::ffff:192.0.2.7": {},
	} {
		if got := mail.ClientRegion(netip.MustParseAddr(text)); got != want {
			t.Errorf("%s: %v, want %v", text, got, want)
		}
	}
	if got := mail.ClientRegion(netip.Addr{}); got != (netip.Prefix{}) {
		t.Errorf("no address: %v", got)
	}
}
