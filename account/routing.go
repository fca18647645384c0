package account

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"popelago/mail"
	"popelago/store"
)

// Settings of a domain for the mail to addresses without an account, alias or group of their own.
const (
	// SettingDelimiter is a character of Delimiters, the delimiter between a local-part and its tag.
	SettingDelimiter = "delimiter"
	// SettingAliasOf is the canonical name of the real domain, for which the domain stands.
	SettingAliasOf = "alias_of"
	// SettingCatchAll is the canonical address for the mail to unknown addresses of the domain.
	SettingCatchAll = "catch_all"
)

// Delimiters are the characters that may separate a local-part from a tag (RFC 5233).
const Delimiters = "+-_.=#~"

// catchAllOf returns the address for unknown addresses of a domain; zero: none.
func catchAllOf(d store.Domain) mail.Address {
	a, _ := mail.SplitAddress(d.Settings[SettingCatchAll])
	return a
}

// untagged returns an address of a domain without its tag. ok is false for an address without a tag.
func untagged(d store.Domain, a mail.Address) (base mail.Address, ok bool) {
	delimiter := d.Settings[SettingDelimiter]
	if delimiter == "" {
		return a, false
	}
	local, _, ok := strings.Cut(a.Local, delimiter)
	return mail.Address{Local: local, Domain: a.Domain}, ok && local != ""
}

// routingSettings returns the settings of domains for the mail to unknown addresses. No setting is delegated:
// with each the administrator of a domain could reach into another domain.
func routingSettings() []Setting {
	return []Setting{
		route(SettingCatchAll, "an address of this server, or none", func(p *Policy) *string { return &p.CatchAll }, func(text string) (string, error) {
			a, err := mail.ParseAddress(text)
			return a.Canonical().String(), err
		}, "Address that gets the mail for unknown addresses of the domain."),
		route(SettingDelimiter, "one of "+Delimiters+", or none", func(p *Policy) *string { return &p.Delimiter }, func(text string) (string, error) {
			if len(text) != 1 || !strings.Contains(Delimiters, text) {
				return "", fmt.Errorf("%.60q is not one of %s", text, Delimiters)
			}
			return text, nil
		}, "Character between a local-part and its tag: with +, mail for alice+shop goes to alice, unless alice+shop is an address itself."),
		route(SettingAliasOf, "a hosted domain, or none", func(p *Policy) *string { return &p.AliasOf }, mail.CanonicalDomain,
			"Hosted domain that the domain stands for: an address without an account, alias or group of its own counts as the address with the same local-part in the other domain, also at login."),
	}
}

// route makes a setting of domains with a text as its value, in the form of canonical, or none.
func route(name, form string, field func(*Policy) *string, canonical func(string) (string, error), doc string) Setting {
	return Setting{
		Name: name, Form: form, Doc: doc, Domain: true,
		read: func(p *Policy, text string) error {
			if text == textNone {
				*field(p) = ""
				return nil
			}
			value, err := canonical(text)
			if err == nil {
				*field(p) = value
			}
			return err
		},
		show: func(p Policy) string { return cmp.Or(*field(&p), textNone) },
	}
}

// checkRouting checks the routing settings of a change of a domain, and brings their values into the
// canonical form. An empty value removes a setting. Errors: ErrBadSetting, ErrBadTarget, ErrDomainInUse,
// ErrNoSuchDomain, the store's.
func (d *Directory) checkRouting(ctx context.Context, domain store.Domain, change map[string]string, elsewhere realDomain) error {
	for _, s := range routingSettings() {
		if text := change[s.Name]; text != "" {
			var p Policy
			if err := s.Read(&p, text); err != nil {
				return err
			}
			change[s.Name] = s.show(p)
		}
	}
	if name := change[SettingAliasOf]; name != "" {
		if err := d.checkAliasOf(ctx, domain, name, elsewhere); err != nil {
			return err
		}
	}
	a, ok := mail.SplitAddress(change[SettingCatchAll])
	if !ok {
		return nil
	}
	return d.checkTargets(ctx, mail.Address{}, store.KindAlias, []mail.Address{a}, []mail.Address{a})
}

// realDomain is what a quorum of every datacenter knows of a domain for which another is about to stand.
type realDomain struct {
	asked  bool         // whether all datacenters have answered; always false with a single datacenter
	domain store.Domain // without a name: hosted nowhere
}

// realElsewhere asks a quorum of every datacenter before a domain stands for another: about the real domain, and whether
// another domain stands for the domain. Without an answer, see askBeforeMaking, asked is false. Errors: ErrDomainInUse;
// those of askBeforeMaking.
func (d *Directory) realElsewhere(ctx context.Context, name string, change map[string]string) (real realDomain, err error) {
	text := change[SettingAliasOf]
	if text == "" || !d.store.Several {
		return real, nil
	}
	text, err = mail.CanonicalDomain(text)
	if err != nil {
		return real, nil // checkRouting explains the bad value
	}
	var inUse error
	err = d.askBeforeMaking(ctx, "domain", text, func(wait context.Context) (bool, error) {
		domain, err := d.store.Each.Domain(wait, text)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return false, err
		}
		if err := noneStandsFor(wait, d.store.Each, name); errors.Is(err, ErrDomainInUse) {
			inUse = err
		} else if err != nil {
			return false, err
		}
		real = realDomain{asked: true, domain: domain}
		return domain.Name != "", nil
	})
	if err == nil {
		err = inUse
	}
	return real, err
}

// checkAliasOf checks whether a domain may stand for the real domain with a canonical name: the real domain is
// hosted and stands for itself, and no domain stands for the domain. Errors: store.ErrUnavailable if only a
// datacenter without an answer may host the real domain.
func (d *Directory) checkAliasOf(ctx context.Context, domain store.Domain, name string, elsewhere realDomain) error {
	if name == domain.Name {
		return fmt.Errorf("%w: %s -> %s", ErrBadTarget, name, name)
	}
	real := elsewhere.domain
	if !elsewhere.asked {
		var err error
		real, err = d.Domain(ctx, name)
		if errors.Is(err, ErrNoSuchDomain) && d.store.Several {
			return fmt.Errorf("domain %s is not known here, and another datacenter does not answer: %w", name, store.ErrUnavailable)
		}
		if err != nil {
			return err
		}
	} else if real.Name == "" {
		return fmt.Errorf("domain %s: %w", name, ErrNoSuchDomain)
	}
	if real.Settings[SettingAliasOf] != "" {
		return fmt.Errorf("%w: %s -> %s -> %s: a domain can stand only for a domain that stands for itself",
			ErrBadTarget, domain.Name, name, real.Settings[SettingAliasOf])
	}
	return noneStandsFor(ctx, d.store.Local, domain.Name)
}

// noneStandsFor returns ErrDomainInUse if a domain stands for another.
func noneStandsFor(ctx context.Context, st store.Directory, name string) error {
	domains, err := st.ListDomains(ctx)
	if err != nil {
		return fmt.Errorf("account: list domains: %w", err)
	}
	for _, other := range domains {
		if other.Settings[SettingAliasOf] == name {
			return fmt.Errorf("domain %s: %w: %s", name, ErrDomainInUse, other.Name)
		}
	}
	return nil
}
