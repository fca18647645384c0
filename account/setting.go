package account

import (
	"fmt"
	"slices"

	"popelago/mail"
	"popelago/store"
	"popelago/suggest"
)

// settingRetention is the setting that has a column of its own in accounts and domains.
const settingRetention = "retention"

// Setting describes a setting of accounts, domains or the server. Settings lists all. A setting counts
// for an account if the account has the setting; otherwise the setting of the domain counts, otherwise the
// setting of the server.
type Setting struct {
	// Name is lower case, with underscores.
	Name string
	// Form is a phrase for the form of a value, such as "on or off".
	Form string
	// Doc is the help for an administrator, in full sentences.
	Doc string
	// Account, Domain and Server report who may have the setting. A setting without Server has a
	// default alone, or is a setting of a different name in the server's configuration.
	Account, Domain, Server bool
	// Delegated reports whether the administrator of a domain may change the setting. The other settings
	// restrict a domain or concern the whole cluster.
	Delegated bool

	// read sets the field of a policy from a text. Errors say what is wrong with the text.
	read func(p *Policy, text string) error
	// show returns the text of the field.
	show func(p Policy) string
	// inAddress and inDomain write the field into a column of its own. Nil: the setting is stored by name.
	inAddress func(c *store.AddressChange, p Policy)
	inDomain  func(c *store.DomainChange, p Policy)
}

// Default returns the value that counts where nobody has the setting.
func (s Setting) Default() string { return s.show(Policy{}) }

// Read sets the setting of the server's policy p. Errors: ErrBadSetting, with the reason.
func (s Setting) Read(p *Policy, text string) error {
	if err := s.read(p, text); err != nil {
		return fmt.Errorf("%w: %s: %w", ErrBadSetting, s.Name, err)
	}
	return nil
}

// Check is Read with errors that name neither the setting nor a class.
func (s Setting) Check(p *Policy, text string) error { return s.read(p, text) }

// Show returns the text of the setting in p.
func (s Setting) Show(p Policy) string { return s.show(p) }

// Settings returns all settings, in the order of the documentation.
func Settings() []Setting {
	return slices.Concat(permissionSettings(), limitSettings(), storageSettings(), routingSettings())
}

func permissionSettings() []Setting {
	return []Setting{
		word("deliver", func(p *Policy) *Permission { return &p.Deliver }, On, Off).everywhere(
			"Whether mail is accepted. With off, a sender gets 550 5.2.1, as for a disabled account."),
		word("pop3", func(p *Policy) *Permission { return &p.POP3 }, On, Off).everywhere(
			"Whether POP3 logins are accepted. With off, a login with the right password gets [AUTH]. Sessions that are open go on to their end."),
		reason().delegated().stored("Why the account or domain is restricted. Shown to administrators and written to the log, never sent to senders or clients."),
		expiry().stored("Last day (UTC) on which the account may be used, or the moment at which the use ends. Later the account counts as disabled; its mail stays."),
	}
}

func limitSettings() []Setting {
	return []Setting{
		octets("quota", func(p *Policy) *int64 { return &p.Quota }, 1<<10).delegated().everywhere(
			"Most octets in a maildrop, as POP3 counts them."),
		count("quota_messages", func(p *Policy) *int64 { return &p.QuotaMessages }).delegated().everywhere(
			"Most messages in a maildrop."),
		octets("domain_quota", func(p *Policy) *int64 { return &p.DomainQuota }, 1<<10).ofDomains(
			"Most octets in all maildrops of a domain together. The quotas of the accounts may add up to more. The job usage measures the sum; a message over the limit is put off (452), never refused for good."),
		count("domain_quota_messages", func(p *Policy) *int64 { return &p.DomainQuotaMessages }).ofDomains(
			"Most messages in all maildrops of a domain together, as domain_quota."),
		word("over_quota", func(p *Policy) *OverQuota { return &p.OverQuota }, Retry, Refuse).delegated().everywhere(
			"Answer to mail that exceeds the quota of a maildrop: with retry the sender tries again later (452 4.2.2), with refuse the mail returns to its author (552 5.2.2)."),
		octets("message_size", func(p *Policy) *int64 { return &p.MessageSize }, 1<<10).delegated().stored(
			"Largest message. The server's delivery.max_message_size counts, too."),
		count("recipients", func(p *Policy) *int64 { return &p.Recipients }).delegated().stored(
			"Most recipients of a message to the account. The sender has to repeat the message for further recipients (452). The server's smtp.max_recipients counts, too."),
	}
}

func storageSettings() []Setting {
	durability := Setting{
		Name: "durability", Form: "local, each or each-or-local", Account: true, Domain: true,
		Doc: "Replicas that must have mail and removals before they are acknowledged: a quorum of the server's datacenter (local), of every datacenter (each), or of every datacenter that can be reached (each-or-local). The server's setting is cassandra.durability.",
		read: func(p *Policy, text string) (err error) {
			if p.Durability, err = mail.ParseDurability(text); err == nil && p.Durability == mail.DurabilityDefault {
				err = fmt.Errorf("%q is not local, each or each-or-local", text)
			}
			return err
		},
		show:     func(p Policy) string { return p.Durability.Or(mail.DurabilityLocal).String() },
		inDomain: func(c *store.DomainChange, p Policy) { c.Durability = &p.Durability },
	}
	retention := Setting{
		Name: settingRetention, Form: "days such as 90d, hours such as 36h, or forever", Account: true, Domain: true, Delegated: true,
		Doc: "Age at which messages expire. Older messages disappear at once; a longer retention later brings back only messages that were not removed by then. The domain's retention_min and retention_max bound it.",
		read: func(p *Policy, text string) (err error) {
			if p.Retention, err = mail.ParseRetention(text); err == nil && p.Retention == mail.AsDomain {
				err = fmt.Errorf("%q is not a retention of its own", text)
			}
			return err
		},
		show:      func(p Policy) string { return p.Retention.Or(mail.Forever).String() },
		inAddress: func(c *store.AddressChange, p Policy) { c.Retention = &p.Retention },
		inDomain:  func(c *store.DomainChange, p Policy) { c.Retention = &p.Retention },
	}
	reading := word("reading", func(p *Policy) *mail.Reading { return &p.Reading }, mail.ReadingLocal, mail.ReadingEach, mail.ReadingEachOrLocal)
	return []Setting{
		reading.delegated().everywhere("Datacenters that the list of a maildrop is read from at login: the server's (local), every datacenter (each), or every datacenter that can be reached (each-or-local). With each a list has every acknowledged message, for one more round trip; a login fails ([SYS/TEMP]) while a datacenter cannot be reached."),
		durability,
		retention,
		retentionMin(),
		retentionMax(),
		afterRetrieval(),
	}
}

// byName returns the settings by name.
func byName() map[string]Setting {
	m := map[string]Setting{}
	for _, s := range Settings() {
		m[s.Name] = s
	}
	return m
}

// lookUp returns a setting by name. Errors: ErrBadSetting, with the most similar name.
func lookUp(settings map[string]Setting, name string) (Setting, error) {
	s, ok := settings[name]
	if ok {
		return s, nil
	}
	names := make([]string, 0, len(settings))
	for n := range settings {
		names = append(names, n)
	}
	hint := `"popelago account settings" lists all`
	if near := suggest.Nearest(name, names, max(2, len(name)/3)); near != "" {
		hint = "did you mean " + near + "?"
	}
	return Setting{}, fmt.Errorf("%w: %.60q is unknown; %s", ErrBadSetting, name, hint)
}

// delegated returns s for administrators of domains, too.
func (s Setting) delegated() Setting {
	s.Delegated = true
	return s
}

// everywhere returns s for accounts, domains and the server.
func (s Setting) everywhere(doc string) Setting {
	s.Account, s.Domain, s.Server, s.Doc = true, true, true, doc
	return s
}

// stored returns s for accounts and domains.
func (s Setting) stored(doc string) Setting {
	s.Account, s.Domain, s.Doc = true, true, doc
	return s
}

// ofDomains returns s for domains and the server.
func (s Setting) ofDomains(doc string) Setting {
	s.Domain, s.Server, s.Doc = true, true, doc
	return s
}
