package account

import (
	"popelago/mail"
	"popelago/store"
)

// Bound names the setting that bounds a value in force, and its source. The zero value: the value is within the
// bounds.
type Bound struct {
	Setting string // SettingRetentionMin or SettingRetentionMax
	Source  Source // SourceDomain or SourceServer
}

// boundOf returns the name of the setting that changes a retention into the retention in force; empty: none does.
func (k Keeping) boundOf(r, inForce mail.Retention) string {
	switch {
	case r == inForce:
		return ""
	case k.least.Ends() && inForce == k.least: // the least retention wins, see Within
		return SettingRetentionMin
	}
	return SettingRetentionMax
}

// noteBounds names the bounds of the retentions in force under p. row is the zero value for the view of a domain.
func (v *SettingsView) noteBounds(p Policy, k Keeping, row store.Address, ofDomain map[string]string) {
	for i := range v.InForce {
		f := &v.InForce[i]
		switch f.Name {
		case settingRetention:
			f.Bound.Setting = k.boundOf(row.Retention.Or(k.retention), p.Retention)
		case SettingAfterRetrieval:
			f.Bound.Setting = k.boundOf(ownAfterRetrieval(row.Settings).Or(k.afterRetrieval), p.AfterRetrieval)
		}
		if f.Bound.Setting == "" {
			continue
		}
		bound := retentionMin()
		if f.Bound.Setting == SettingRetentionMax {
			bound = retentionMax()
		}
		f.Bound.Source = SourceServer
		if bound.readable(ofDomain) {
			f.Bound.Source = SourceDomain
		}
	}
}
