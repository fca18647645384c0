package account

import (
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Names of the settings of domains that bound the retentions of their accounts.
const (
	SettingRetentionMin = "retention_min"
	SettingRetentionMax = "retention_max"
)

// SettingAfterRetrieval is the name of the setting of the retention after the first retrieval.
const SettingAfterRetrieval = "retention_after_retrieval"

// MaxAfterRetrieval is the longest retention after the first retrieval. Notes of retrievals are kept for
// NoteSlack longer, within store.MaxNoteAge.
const MaxAfterRetrieval = mail.Retention(3 * 365 * 24 * time.Hour)

// NoteSlack is the time for which a note of a retrieval outlives the retention after retrieval: background
// work that waits for an absent replica still finds the note.
const NoteSlack = 90 * 24 * time.Hour

// Keeping is the rule that decides how long the messages of the accounts of a domain are kept. No other
// place decides. The zero value keeps messages without a retention of their account for ever.
type Keeping struct {
	// retention counts for accounts without a retention of their own.
	retention mail.Retention
	// least and greatest bound every retention; without an end there is no bound.
	least, greatest mail.Retention
	// afterRetrieval counts for accounts without the setting of their own.
	afterRetrieval mail.Retention
}

// Keeping returns the rule of a domain under the policy p of the server. A value that this release cannot
// read counts as absent.
func (p Policy) Keeping(domain store.Domain) Keeping {
	for name, setting := range map[string]func() Setting{
		SettingRetentionMin: retentionMin, SettingRetentionMax: retentionMax, SettingAfterRetrieval: afterRetrieval,
	} {
		if text, ok := domain.Settings[name]; ok {
			_ = setting().read(&p, text) // a failed read changes nothing
		}
	}
	return p.keeping(domain.Retention)
}

// keeping is Keeping for a policy with the settings of the domain.
func (p Policy) keeping(ofDomain mail.Retention) Keeping {
	return Keeping{retention: ofDomain, least: p.RetentionMin, greatest: p.RetentionMax, afterRetrieval: p.AfterRetrieval}
}

// Of returns the retention in force of an account with the retention own: own, or the retention of the
// domain, within the bounds of the domain. The bounds count at every moment, also for retentions that were
// set before them.
func (k Keeping) Of(own mail.Retention) mail.Retention {
	return own.Or(k.retention).Within(k.least, k.greatest)
}

// AfterRetrieval returns the retention after the first retrieval in force of an account with the settings
// own; without an end a retrieval has no effect. The least retention of the domain counts here, too.
func (k Keeping) AfterRetrieval(own map[string]string) mail.Retention {
	r := ownAfterRetrieval(own).Or(k.afterRetrieval)
	return r.Within(k.least, mail.AsDomain)
}

// ownAfterRetrieval returns the retention after the first retrieval among the settings of an account;
// mail.AsDomain without a readable setting.
func ownAfterRetrieval(own map[string]string) mail.Retention {
	var p Policy
	if text, ok := own[SettingAfterRetrieval]; ok {
		_ = afterRetrieval().read(&p, text) // a failed read changes nothing
	}
	return p.AfterRetrieval
}

// OwnLeast returns the least of the retentions that an account has itself.
func OwnLeast(row store.Address) mail.Retention {
	return row.Retention.Shorter(ownAfterRetrieval(row.Settings))
}

// leastOfChange returns the least of the retentions that a change gives to an account.
func leastOfChange(c store.AddressChange) mail.Retention {
	least := ownAfterRetrieval(c.Settings)
	if c.Retention != nil {
		least = least.Shorter(*c.Retention)
	}
	return least
}

// leastOf returns the least retention in force of all accounts of the domain, after retrieval or not, where
// no account has a retention of its own less than own.
func (k Keeping) leastOf(own mail.Retention) mail.Retention {
	return k.afterRetrieval.Shorter(own).Shorter(k.retention).Within(k.least, k.greatest)
}

// bounded reports whether the domain bounds retentions at all, beyond MinRetention.
func (k Keeping) bounded() bool { return k.greatest.Ends() || k.least > MinRetention }

// Check checks the policy of a server as a whole. Errors: ErrBadSetting.
func (p Policy) Check() error { return p.keeping(mail.AsDomain).contradicts() }

// contradicts returns an ErrBadSetting if the bounds contradict each other.
func (k Keeping) contradicts() error {
	if k.least.Ends() && k.greatest.Ends() && k.least > k.greatest {
		return fmt.Errorf("%w: %s %v is more than %s %v", ErrBadSetting, SettingRetentionMin, k.least, SettingRetentionMax, k.greatest)
	}
	return nil
}

// checkChoice checks a retention that a user chooses. Errors: ErrNoChoice, ErrBadSetting.
func (k Keeping) checkChoice(own mail.Retention) error {
	switch {
	case !k.bounded():
		return ErrNoChoice
	case k.Of(own) != own.Or(k.retention) && own != mail.AsDomain:
		return fmt.Errorf("%w: a retention of %v: the domain allows %s to %s", ErrBadSetting, own, k.leastText(), k.greatestText())
	}
	return nil
}

func (k Keeping) leastText() string { return retentionMin().show(Policy{RetentionMin: k.least}) }

func (k Keeping) greatestText() string { return retentionMax().show(Policy{RetentionMax: k.greatest}) }

// retentionMin is the setting of the least retention.
func retentionMin() Setting {
	return Setting{
		Name: SettingRetentionMin, Form: "days such as 10d, or hours such as 36h",
		read: func(p *Policy, text string) error {
			r, err := mail.ParseRetention(text)
			switch {
			case err != nil:
				return err
			case !r.Ends() || r < MinRetention:
				return fmt.Errorf("%.60q is not a retention of at least %v with an end", text, MinRetention)
			}
			p.RetentionMin = r
			return nil
		},
		show: func(p Policy) string {
			if p.RetentionMin.Ends() {
				return p.RetentionMin.String()
			}
			return MinRetention.String()
		},
	}.ofDomains("Least retention of an account. A shorter retention, of the account or the domain, counts as this one, also if it was set before.")
}

// retentionMax is the setting of the greatest retention.
func retentionMax() Setting {
	return Setting{
		Name: SettingRetentionMax, Form: "days such as 365d, hours such as 36h, or forever",
		read: func(p *Policy, text string) error {
			r, err := mail.ParseRetention(text)
			switch {
			case err != nil:
				return err
			case r == mail.AsDomain || r.Ends() && r < MinRetention:
				return fmt.Errorf("%.60q is neither a retention of at least %v nor forever", text, MinRetention)
			}
			p.RetentionMax = r
			return nil
		},
		show: func(p Policy) string { return p.RetentionMax.Or(mail.Forever).String() },
	}.ofDomains("Greatest retention of an account. A longer retention, or none, counts as this one at once: older messages disappear, and the job expire removes them. Where a domain has either bound, its users may choose their own retention within the bounds.")
}

// afterRetrieval is the setting of the retention after the first retrieval.
func afterRetrieval() Setting {
	return Setting{
		Name: SettingAfterRetrieval, Form: "days such as 14d, hours such as 36h, or forever",
		read: func(p *Policy, text string) error {
			r, err := mail.ParseRetention(text)
			switch {
			case err != nil:
				return err
			case r == mail.AsDomain || r.Ends() && (r < MinRetention || r > MaxAfterRetrieval):
				return fmt.Errorf("%.60q is neither a retention of %v to %v nor forever", text, MinRetention, MaxAfterRetrieval)
			}
			p.AfterRetrieval = r
			return nil
		},
		show: func(p Policy) string { return p.AfterRetrieval.Or(mail.Forever).String() },
	}.delegated().everywhere("Time after which the job expire removes a message that a client has retrieved whole (RETR), counted from the end of the first session that did. Only retrievals while the setting is in force count. Messages that no client has retrieved stay.")
}
