package config

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
)

// adminURL is a setting with the URL of an administration API; an empty text: none.
func adminURL(p *string) *word {
	return text(p, `a URL such as "https://mx1.example.org:8080"`, func(s string) error {
		u, err := url.Parse(s)
		switch {
		case err != nil:
			return errors.New("it is not a URL")
		case u.Scheme != "https" && u.Scheme != "http":
			return errors.New("it does not begin with https:// or http://")
		case u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" || strings.Trim(u.Path, "/") != "":
			return errors.New("it must have a host, and may have a port: nothing else")
		}
		if ip, err := netip.ParseAddr(u.Hostname()); err == nil {
			if ip.IsUnspecified() {
				return errors.New("other servers cannot connect to this address")
			}
			return nil
		}
		return checkHost(u.Hostname())
	})
}

// peers is a setting with the hosts of other servers.
func peers(p *[]string) *list {
	return &list{p: p, what: `a host "mx2.example.org", ".example.org" for all hosts below, an IP address, or a network "10.0.0.0/8"`, check: checkPeer}
}

func checkPeer(s string) error {
	if strings.Contains(s, "/") {
		return checkNetwork(s)
	}
	if _, err := netip.ParseAddr(s); err == nil {
		return nil
	}
	name := strings.TrimPrefix(s, ".")
	if strings.HasPrefix(s, ".") && !strings.Contains(name, ".") {
		return fmt.Errorf("%q has too many hosts below", s)
	}
	return checkHost(name)
}

// checkPeers reports an address that no other server could use.
func (c *Config) checkPeers(fail func(key, text string, depends ...string)) {
	if c.Admin.Advertise != "" && len(c.Admin.Listen) == 0 {
		fail("admin.advertise", "names an API that is off: set admin.listen", "admin.listen")
	}
}
