package account

import (
	"maps"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Policy holds the values of all settings for an account, a domain or the server. The zero value restricts
// nothing.
type Policy struct {
	// Deliver and POP3 permit mail and logins. Empty: On.
	Deliver, POP3 Permission
	// Reason explains a restriction to administrators.
	Reason string
	// Expires is the moment from which the account counts as disabled, in UTC; zero: never.
	Expires time.Time

	// Quota and QuotaMessages limit a maildrop; zero: no limit.
	Quota, QuotaMessages int64
	// DomainQuota and DomainQuotaMessages limit all maildrops of a domain together; zero: no limit.
	DomainQuota, DomainQuotaMessages int64
	// OverQuota is the answer to mail over Quota or QuotaMessages. Empty: Retry.
	OverQuota OverQuota
	// MessageSize limits a message in octets; zero: no limit.
	MessageSize int64
	// Recipients limits the recipients of a message to the account; zero: no limit.
	Recipients int64

	// Reading is the level of the list of a maildrop. Empty: mail.ReadingLocal.
	Reading mail.Reading
	// Durability of mail and removals, see Config.Durability.
	Durability mail.Durability
	// Retention of messages, within the bounds.
	Retention mail.Retention
	// RetentionMin and RetentionMax bound Retention, see Keeping; without an end: no bound.
	RetentionMin, RetentionMax mail.Retention
	// AfterRetrieval is the retention after the first retrieval, within the bounds; without an end: none.
	AfterRetrieval mail.Retention

	// CatchAll, Delimiter and AliasOf route mail for unknown addresses of a domain, see the settings with
	// these names. Empty: no such rule.
	CatchAll, Delimiter, AliasOf string
}

// DefaultPolicy returns the server's policy with the default of every setting.
func DefaultPolicy() Policy {
	var p Policy
	for _, s := range Settings() {
		if s.Server {
			_ = s.read(&p, s.Default()) // every default is valid
		}
	}
	return p
}

// Permission permits a use of an account, or not.
type Permission string

// The permissions. The empty Permission counts as On.
const (
	On  Permission = "on"
	Off Permission = "off"
)

// OverQuota is the answer to mail over quota.
type OverQuota string

// The answers. The empty OverQuota counts as Retry.
const (
	Retry  OverQuota = "retry"  // a temporary refusal
	Refuse OverQuota = "refuse" // a permanent refusal
)

// limits returns the limits of mail to an account with the policy.
func (p Policy) limits() mail.Limits {
	return mail.Limits{
		Octets: p.Quota, Messages: p.QuotaMessages, DomainOctets: p.DomainQuota, DomainMessages: p.DomainQuotaMessages,
		Refuse: p.OverQuota == Refuse, Size: p.MessageSize, Recipients: int(p.Recipients), Retention: p.Retention,
	}
}

// policy returns the policy of an account in a domain. A value that this release cannot read, because a
// newer release wrote the value, counts as absent.
func (d *Directory) policy(row store.Address, domain store.Domain) Policy {
	p := d.domainPolicy(domain)
	k := p.keeping(domain.Retention)
	d.apply(&p, row.Settings, func(s Setting) bool { return s.Account })
	p.Retention, p.AfterRetrieval = k.Of(row.Retention), k.AfterRetrieval(row.Settings)
	return p
}

// domainPolicy returns the policy of the accounts of a domain that have no settings of their own.
func (d *Directory) domainPolicy(domain store.Domain) Policy {
	p := d.cfg.Policy
	p.Durability = domain.Durability.Or(d.cfg.Durability)
	d.apply(&p, domain.Settings, func(s Setting) bool { return s.Domain })
	k := p.keeping(domain.Retention)
	p.Retention, p.AfterRetrieval = k.Of(mail.AsDomain), k.AfterRetrieval(nil)
	return p
}

func (d *Directory) apply(p *Policy, texts map[string]string, has func(Setting) bool) {
	for name, text := range texts {
		if s, ok := d.settingsByName[name]; ok && has(s) {
			_ = s.read(p, text) // a failed read changes nothing
		}
	}
}

// Source names the origin of a value in force.
type Source string

// The sources.
const (
	SourceAccount Source = "account"
	SourceDomain  Source = "domain"
	SourceServer  Source = "server" // the configuration, or the default
)

// InForce is the value of a setting in force.
type InForce struct {
	Name, Value string
	// Source of the value; with a Bound, of the value that the bound replaces.
	Source Source
	Bound  Bound
}

// SettingsView shows the settings of an account or a domain.
type SettingsView struct {
	// Own holds the settings that the account or domain has itself, by name.
	Own map[string]string
	// InForce holds all settings that an account or domain may have, in the order of Settings.
	InForce []InForce
}

// addressTexts returns the settings of an account by name, columns included.
func addressTexts(row store.Address) map[string]string {
	texts := cloned(row.Settings)
	if row.Retention != mail.AsDomain {
		texts[settingRetention] = row.Retention.String()
	}
	return texts
}

// domainTexts returns the settings of a domain by name, columns included.
func domainTexts(domain store.Domain) map[string]string {
	texts := cloned(domain.Settings)
	if domain.Durability != mail.DurabilityDefault {
		texts["durability"] = domain.Durability.String()
	}
	if domain.Retention != mail.AsDomain {
		texts[settingRetention] = domain.Retention.String()
	}
	return texts
}

func cloned(texts map[string]string) map[string]string {
	if texts == nil {
		return map[string]string{}
	}
	return maps.Clone(texts)
}

// accountView shows the settings of an account.
func (d *Directory) accountView(row store.Address, domain store.Domain) SettingsView {
	own, ofDomain := addressTexts(row), domainTexts(domain)
	p := d.policy(row, domain)
	v := viewOf(p, own, func(s Setting) (bool, Source) {
		switch {
		case s.Account && s.readable(own):
			return s.Account, SourceAccount
		case s.Domain && s.readable(ofDomain):
			return s.Account, SourceDomain
		}
		return s.Account, SourceServer
	})
	v.noteBounds(p, d.Keeping(domain), row, ofDomain)
	return v
}

// domainView shows the settings of a domain.
func (d *Directory) domainView(domain store.Domain) SettingsView {
	own := domainTexts(domain)
	p := d.domainPolicy(domain)
	v := viewOf(p, own, func(s Setting) (bool, Source) {
		if s.readable(own) {
			return s.Domain, SourceDomain
		}
		return s.Domain, SourceServer
	})
	v.noteBounds(p, d.Keeping(domain), store.Address{}, own)
	return v
}

// viewOf lists the values of p. has reports whether a setting belongs to the list, and its source.
func viewOf(p Policy, own map[string]string, has func(Setting) (bool, Source)) SettingsView {
	v := SettingsView{Own: own}
	for _, s := range Settings() {
		if listed, source := has(s); listed {
			v.InForce = append(v.InForce, InForce{Name: s.Name, Value: s.show(p), Source: source})
		}
	}
	return v
}

// readable reports whether texts have a value of the setting that this release can read.
func (s Setting) readable(texts map[string]string) bool {
	text, ok := texts[s.Name]
	return ok && s.read(&Policy{}, text) == nil
}
