package account

import (
	"context"

	"popelago/mail"
	"popelago/store"
)

// locate finds the entry of an address by rules 1 to 3, and the final address of mail for an
// account. With rule catch-all the entry is nil, and final is the catch-all.
func (x *expansion) locate(ctx context.Context, a mail.Address, first bool) (e *entry, final mail.Address, rule string, err error) {
	exact := a.Canonical()
	if e, err = x.lookup(ctx, exact); err != nil || e != nil {
		return e, a, "", err
	}
	domain, err := x.domain(ctx, exact.Domain)
	if err != nil {
		return nil, a, "", err
	}
	if e, err = x.locateTagged(ctx, domain, exact); err != nil || e != nil {
		return e, a, RuleSubaddress, err
	}
	catchAll := catchAllOf(domain)
	if name := domain.Settings[SettingAliasOf]; name != "" {
		a.Domain, exact.Domain = name, name
		real, err := x.domain(ctx, name)
		if err != nil {
			return nil, a, "", err
		}
		if e, err = x.lookup(ctx, exact); e == nil && err == nil {
			e, err = x.locateTagged(ctx, real, exact)
		}
		if err != nil || e != nil {
			return e, a, RuleAliasOf, err
		}
		if catchAll.IsZero() {
			catchAll = catchAllOf(real)
		}
	}
	if first && !catchAll.IsZero() {
		return nil, catchAll, RuleCatchAll, nil
	}
	return nil, a, "", nil
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
