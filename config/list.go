package config

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// list is a setting that is several texts. In the environment they are separated by commas.
type list struct {
	p    *[]string
	what string // one of them, a phrase
	// check is for one of them.
	check func(string) error
}

func nodes(p *[]string) *list {
	return &list{p: p, what: `a host such as "10.0.0.1", "node1.example.org" or "[fd00::1]:9042"`, check: checkNode}
}

// networks is a list of networks in CIDR notation.
func networks(p *[]string) *list {
	return &list{p: p, what: `a network such as "192.0.2.0/24" or "2001:db8::/32"`, check: checkNetwork}
}

func checkNetwork(s string) error {
	p, err := netip.ParsePrefix(s)
	switch {
	case err != nil:
		return errors.New("it is not an address, a slash and a number of bits")
	case p != p.Masked():
		return fmt.Errorf("its address has bits behind the first %d: write %s", p.Bits(), p.Masked())
	}
	return nil
}

func (l *list) set(v any) error {
	items, ok := v.([]any)
	if !ok {
		return fmt.Errorf(`%s is not a list such as ["a", "b"]`, show(v))
	}
	var texts []string
	for _, item := range items {
		s, ok := item.(string)
		if !ok {
			return fmt.Errorf("%s in the list is not %s", show(item), l.what)
		}
		texts = append(texts, s)
	}
	return l.take(texts)
}

func (l *list) parse(s string) error {
	var texts []string
	if strings.TrimSpace(s) != "" {
		for item := range strings.SplitSeq(s, ",") {
			texts = append(texts, strings.TrimSpace(item))
		}
	}
	return l.take(texts)
}

func (l *list) take(texts []string) error {
	if err := l.checkAll(texts); err != nil {
		return err
	}
	*l.p = texts
	return nil
}

func (l *list) checkAll(texts []string) error {
	for i, s := range texts {
		if err := l.check(s); err != nil {
			return fmt.Errorf("%s is not %s: %w", show(s), l.what, err)
		}
		if slices.Contains(texts[:i], s) {
			return fmt.Errorf("%s is named twice", show(s))
		}
	}
	return nil
}

func (l *list) literal() string {
	quoted := make([]string, len(*l.p))
	for i, s := range *l.p {
		quoted[i] = quote(s)
	}
	return "[" + strings.Join(quoted, ", ") + "]"
}

func (l *list) form() string { return "a list, each " + l.what }
