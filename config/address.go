package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"popelago/mail"
)

func checkHostPort(s string) error {
	if strings.Contains(s, "://") {
		return errors.New("it is a URL")
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.HasSuffix(s, "]") {
		return errors.New("the port is missing")
	}
	host, port := s[:colon], s[colon+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("the port %q is not a number from 0 to 65535", port)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !strings.HasSuffix(inner, "]") || !ip.Is6() {
			return fmt.Errorf("%q is not an IPv6 address in brackets", host)
		}
		return nil
	}
	if strings.Contains(host, ":") {
		return errors.New("an IPv6 address belongs in brackets")
	}
	if host == "" {
		return nil
	}
	return checkHost(host)
}

// checkNode accepts host or host:port; an IPv6 address without port needs no brackets.
func checkNode(s string) error {
	bare := strings.TrimSuffix(strings.TrimPrefix(s, "["), "]")
	if _, err := netip.ParseAddr(bare); err == nil && (bare == s || s == "["+bare+"]" && strings.Contains(bare, ":")) {
		return nil
	}
	switch {
	case s == "" || strings.HasPrefix(s, ":"):
		return errors.New("the host is missing")
	case !strings.Contains(s, ":"):
		return checkHost(s)
	case strings.HasSuffix(s, ":0"):
		return errors.New("the port must be 1 to 65535")
	}
	return checkHostPort(s)
}

func checkHostname(s string) error {
	_, err := mail.CanonicalHostname(s)
	return plain(err)
}

// checkHost checks the name or the IPv4 address of a host to listen on or to connect to.
func checkHost(s string) error {
	if strings.HasPrefix(s, "[") || strings.ContainsAny(s, ":/@ ") {
		return errors.New("it holds a character that host names do not have")
	}
	name, err := mail.CanonicalDomain(s)
	if err != nil {
		return plain(err)
	}
	// A name whose last label is a number is an address with a mistake (RFC 3696 section 2).
	last := name[strings.LastIndexByte(name, '.')+1:]
	if _, err := netip.ParseAddr(s); err != nil && strings.Trim(last, "0123456789") == "" {
		return fmt.Errorf("%q is not an IPv4 address", s)
	}
	return nil
}

func checkDomain(s string) error {
	_, err := mail.CanonicalDomain(s)
	return plain(err)
}

// plain drops the words of the sentinel error, which the message around the error repeats.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), mail.ErrBadAddress.Error()+": "))
}
