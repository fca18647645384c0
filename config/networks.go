package config

import (
	"errors"
	"fmt"
	"net/netip"
)

// networks is a setting with a list of networks in CIDR notation.
type networks struct{ p *[]netip.Prefix }

// texts returns the networks as a list of texts.
func (n networks) texts() *list {
	texts := make([]string, len(*n.p))
	for i, p := range *n.p {
		texts[i] = p.String()
	}
	return &list{p: &texts, what: `a network such as "192.0.2.0/24" or "2001:db8::/32"`, check: checkNetwork}
}

// recheck checks the networks one by one.
func (n networks) recheck() error {
	t := n.texts()
	return t.checkAll(*t.p)
}

func (n networks) set(v any) error {
	t := n.texts()
	if err := t.set(v); err != nil {
		return err
	}
	return n.take(*t.p)
}

func (n networks) parse(s string) error {
	t := n.texts()
	if err := t.parse(s); err != nil {
		return err
	}
	return n.take(*t.p)
}

func (n networks) take(texts []string) error {
	var all []netip.Prefix
	for _, s := range texts {
		p, err := netip.ParsePrefix(s)
		if err != nil {
			return err
		}
		all = append(all, p)
	}
	*n.p = all
	return nil
}

func (n networks) literal() string { return n.texts().literal() }
func (n networks) form() string    { return n.texts().form() }

func checkNetwork(s string) error {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return errors.New("it is not an address, a slash and a number of bits")
	case p.Addr().Is4In6() && p.Bits() >= 96:
		return fmt.Errorf("no client has such an address: write %s", netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96).Masked())
	case p.Addr().Is4In6():
		return errors.New("no client has such an address: write the network in the form of IPv4")
	case p != p.Masked():
		return fmt.Errorf("its address has bits behind the first %d: write %s", p.Bits(), p.Masked())
	}
	return nil
}
