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

// addresses is a setting that says where to listen: one address as a text, or a list. Each is
// host:port, or unix:/path where that is allowed. Empty: nowhere.
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

// recheck checks the addresses one by one, and whether they leave each other room.
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

// maxSocketPath is the longest path of a unix socket that all systems take, in octets.
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

// place is an address to listen on, taken apart. The host is a name or an address; the zero ip is
// that of a name.
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

// overlap says why one address leaves no room for another; empty: it does, as far as can be told
// without asking for the addresses of names. Port 0 is another port each time.
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

// covers reports whether listening at p takes other too. "[::]" leaves IPv4 to addresses of IPv4
// with the same port, see Network.
func (p place) covers(other place) bool {
	switch {
	case p.all:
		return true
	case !p.ip.IsValid() || !other.ip.IsValid() || !p.ip.IsUnspecified():
		return false
	}
	return p.ip.Is4() == other.ip.Is4()
}

// Network is the network of package net to listen on at address, one of all: an address of IPv4,
// "0.0.0.0" too, is for IPv4 alone; "[::]" takes IPv4 too, but where another of them is an address of
// IPv4 with the same port.
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

// Listeners are the names of the listeners and the addresses of each; those that are off too.
func (c *Config) Listeners() []Listener {
	return []Listener{
		{"pop3", c.POP3.Listen}, {"pop3s", c.POP3S.Listen}, {"smtp", c.SMTP.Listen},
		{"lmtp", c.LMTP.Listen}, {"admin", c.Admin.Listen}, {"metrics", c.Metrics.Listen},
	}
}

// Listener is where one service listens.
type Listener struct {
	Name      string   // its section
	Addresses []string // none: off
}

// checkListeners reports addresses of two listeners that leave each other no room.
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
