package account

import (
	"encoding/binary"
	"hash/maphash"
	"net/netip"

	"popelago/mail"
)

// client is the origin of a login, in the widths that turns and failures are counted by. The zero
// value stands for this machine and for trusted networks.
type client struct {
	address netip.Prefix // IPv4: /32; IPv6: /64
	network netip.Prefix // IPv4: /24; IPv6: /48
	region  netip.Prefix // see mail.ClientRegion
}

// clientAt returns the client at a remote address. The zero address gives the zero client.
func clientAt(remote netip.Addr) client {
	remote = remote.Unmap().WithZone("")
	address, _ := remote.Prefix(min(remote.BitLen(), 64)) // zero for the zero address
	return client{address: address, network: mail.ClientNetwork(remote), region: mail.ClientRegion(remote)}
}

// counted reports whether failures of the client are counted.
func (c client) counted() bool { return c.address.IsValid() }

// client returns the client of a login: the zero client where Config exempts the address.
func (d *Directory) client(remote netip.Addr) client {
	remote = remote.Unmap().WithZone("")
	if remote.IsLoopback() && !d.cfg.CountLocal {
		return client{}
	}
	for _, p := range d.cfg.TrustedNetworks {
		if p.Contains(remote) {
			return client{}
		}
	}
	return clientAt(remote)
}

// accountAt names an account together with an address or network. The account is a keyed
// hash of the login name, so that long names take no more memory than short names.
type accountAt struct {
	account uint64
	from    netip.Prefix
}

// loginKey returns the keyed hash of a login name for accountAt.
func loginKey(seed maphash.Seed, login string) uint64 { return maphash.String(seed, login) }

// guess names one wrong combination of account and password: the first octets of its
// credentialKey. Zero names none.
type guess uint64

func guessOf(k credentialKey) guess { return guess(binary.BigEndian.Uint64(k[:8])) }
