package account

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// location says where rules 1 to 4 of an expansion lead from an address.
type location struct {
	entry *entry // nil: there is none, or rule is RuleCatchAll
	// final is the final address of mail for an account; with RuleCatchAll the catch-all.
	final mail.Address
	rule  string
	// domain is Step.Domain.
	domain string
}

// locate finds the entry of an address by rules 1 to 3, or the catch-all.
func (x *expansion) locate(ctx context.Context, a mail.Address, first bool) (at location, err error) {
	exact := a.Canonical()
	at = location{final: a, domain: exact.Domain}
	if at.entry, err = x.lookup(ctx, exact); err != nil || at.entry != nil {
		return at, err
	}
	domain, err := x.domain(ctx, exact.Domain)
	if err != nil {
		return at, err
	}
	if at.entry, err = x.locateTagged(ctx, domain, exact); err != nil || at.entry != nil {
		at.rule = RuleSubaddress
		return at, err
	}
	catchAll := catchAllOf(domain)
	if name := domain.Settings[SettingAliasOf]; name != "" {
		at.final.Domain, at.domain, exact.Domain = name, name, name
		real, err := x.domain(ctx, name)
		if err != nil {
			return at, err
		}
		if at.entry, err = x.lookup(ctx, exact); at.entry == nil && err == nil {
			at.entry, err = x.locateTagged(ctx, real, exact)
		}
		if err != nil || at.entry != nil {
			at.rule = RuleAliasOf
			return at, err
		}
		if catchAll.IsZero() {
			catchAll = catchAllOf(real)
		}
	}
	if first && !catchAll.IsZero() {
		at.final, at.rule = catchAll, RuleCatchAll
	}
	return at, nil
}

// locateTagged finds the entry of an address without its tag.
func (x *expansion) locateTagged(ctx context.Context, domain store.Domain, a mail.Address) (*entry, error) {
	base, ok := untagged(domain, a)
	if !ok {
		return nil, nil
	}
	return x.lookup(ctx, base)
}

// domain returns the settings of a domain. Before a refusal they are read again: a rule of the domain may
// have been made on another server, or in another datacenter, a moment ago.
func (x *expansion) domain(ctx context.Context, name string) (store.Domain, error) {
	known, err := x.d.domain(ctx, name)
	if err != nil || known.Name == "" || x.domainAgain == nil {
		return known, err
	}
	if again, read := x.domains[name]; read {
		return again, nil
	}
	again, err := x.d.readDomain(ctx, x.domainAgain, name)
	if err == nil {
		x.domains[name] = again
	}
	return again, err
}
