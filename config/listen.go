package config

import (
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// addresses is a setting with addresses to listen on: one address as a text, or a list. An address is
// host:port, or unix:/path where allowed. Empty: none.
type addresses struct{ *list }

func listen(p *[]string, unixToo bool) addresses {
	what := `an address such as "127.0.0.1:110", ":110" or "[::1]:110"`
	if unixToo {
		what = `an address such as "127.0.0.1:24", ":24" or "unix:/run/popelago/lmtp"`
	}
	return addresses{&list{p: p, what: what, check: func(s string) error { return checkListen(s, unixToo) }}}
}

func (a addresses) set(v any) error {
	s, isText := v.(string)
	switch _, isList := v.([]any); {
	case isList:
		if err := a.list.set(v); err != nil {
			return err
		}
		return a.recheck()
	case !isText:
		return fmt.Errorf("%s is not a text and not a list: it takes %s", show(v), a.form())
	case s == "":
		*a.p = nil
		return nil
	case strings.Contains(s, ","):
		return fmt.Errorf(`%s is not %s: several addresses are a list such as ["127.0.0.1:110", "[::1]:110"]`, show(v), a.what)
	}
	return a.take([]string{s})
}

func (a addresses) parse(s string) error {
	if err := a.list.parse(s); err != nil {
		return err
	}
	return a.recheck()
}

// recheck checks the addresses one by one, and for overlaps.
func (a addresses) recheck() error {
	if err := a.checkAll(*a.p); err != nil {
		return err
	}
	for i, one := range *a.p {
		for _, other := range (*a.p)[:i] {
			if text := overlap(one, other); text != "" {
				return errors.New(text)
			}
		}
	}
	return nil
}

func (a addresses) literal() string {
	switch len(*a.p) {
	case 0:
		return quote("")
	case 1:
		return quote((*a.p)[0])
	}
	return a.list.literal()
}

func (a addresses) form() string { return a.what + ", or a list of such" }

// maxSocketPath is the longest path of a unix socket that all systems accept, in octets.
const maxSocketPath = 103

// checkListen checks one address.
func checkListen(s string, unixToo bool) error {
	file, isUnix := strings.CutPrefix(s, "unix:")
	switch {
	case !isUnix:
		return checkHostPort(s)
	case !unixToo:
		return errors.New("a unix socket is not possible here")
	case !filepath.IsAbs(file):
		return errors.New("the path of a unix socket must begin with /")
	case strings.Contains(file, ","):
		return errors.New("the path of a unix socket may have no comma")
	case len(file) > maxSocketPath:
		return fmt.Errorf("the path of a unix socket may have %d octets", maxSocketPath)
	}
	return nil
}

// place is a parsed address to listen on. The host is a name or an IP address; the ip of a name is
// zero.
type place struct {
	name string // host name, or path of a unix socket
	all  bool   // no host: all addresses, IPv4 and IPv6
	ip   netip.Addr
	port uint64
}

func placeOf(address string) place {
	colon := strings.LastIndexByte(address, ':')
	if colon < 0 || strings.HasPrefix(address, "unix:") {
		return place{name: address}
	}
	host := strings.Trim(address[:colon], "[]")
	port, _ := strconv.ParseUint(address[colon+1:], 10, 16)
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return place{name: strings.ToLower(host), all: host == "", port: port}
	}
	return place{ip: ip.Unmap(), port: port}
}

// overlap returns the reason that a server cannot listen on one and other together; empty if it can, as
// far as known without resolving names. Port 0 is a new port each time.
func overlap(one, other string) string {
	a, b := placeOf(one), placeOf(other)
	switch {
	case one == other && a.port == 0 && !strings.HasPrefix(one, "unix:"), a.port != b.port:
		return ""
	case a == b && one == other:
		return fmt.Sprintf("%q is named twice", one)
	case a == b:
		return fmt.Sprintf("%q is the same address as %q", one, other)
	case a.port == 0:
		return ""
	case b.covers(a):
		return fmt.Sprintf("%q is part of %q", one, other)
	case a.covers(b):
		return fmt.Sprintf("%q is part of %q", other, one)
	}
	return ""
}

// covers reports whether listening at p includes other. "[::]" leaves IPv4 to addresses of IPv4 with
// the same port, see Network.
func (p place) covers(other place) bool {
	switch {
	case p.all:
		return true
	case !p.ip.IsValid() || !other.ip.IsValid() || !p.ip.IsUnspecified():
		return false
	}
	return p.ip.Is4() == other.ip.Is4()
}

// Network returns the network of package net to listen on at address, which is in all: an address of
// IPv4, including "0.0.0.0", is for IPv4 alone; "[::]" includes IPv4, unless all has an address of IPv4
// with the same port.
func Network(address string, all []string) string {
	p := placeOf(address)
	switch {
	case p.ip.Is4():
		return "tcp4"
	case p.ip != netip.IPv6Unspecified() || p.port == 0:
		return "tcp"
	}
	beside := slices.ContainsFunc(all, func(other string) bool {
		o := placeOf(other)
		return o.ip.Is4() && o.port == p.port
	})
	if beside {
		return "tcp6"
	}
	return "tcp"
}

// Listeners returns all listeners with their addresses, including listeners that are off.
func (c *Config) Listeners() []Listener {
	return []Listener{
		{"pop3", c.POP3.Listen}, {"pop3s", c.POP3S.Listen}, {"smtp", c.SMTP.Listen},
		{"lmtp", c.LMTP.Listen}, {"admin", c.Admin.Listen}, {"userpage", c.UserPage.Listen}, {"metrics", c.Metrics.Listen},
	}
}

// Listener has the addresses of one service.
type Listener struct {
	Name      string   // its section
	Addresses []string // none: off
}

// checkListeners reports overlapping addresses of two listeners.
func (c *Config) checkListeners(fail func(key, text string, depends ...string)) {
	all := c.Listeners()
	for i, a := range all {
		for _, b := range all[:i] {
			for _, one := range a.Addresses {
				for _, other := range b.Addresses {
					if text := overlap(one, other); text != "" {
						key := b.Name + ".listen"
						if one == other {
							text = fmt.Sprintf("%q is the address of %s too", one, key)
						} else {
							text += ", see " + key
						}
						fail(a.Name+".listen", text+": each needs one of its own", key)
					}
				}
			}
		}
	}
}
