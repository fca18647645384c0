package config

import (
	"fmt"
	"time"

	"popelago/account"
)

// policySettings returns the part of the table about accounts and domains without settings of their own.
func policySettings(c *Config) []setting {
	var table []setting
	for _, s := range account.Settings() {
		if s.Server {
			table = append(table, setting{"policy." + s.Name, policyValue{&c.Auth.Policy, s}, s.Doc})
		}
	}
	return append(table,
		setting{"policy.usage_cache_ttl", duration(&c.Quota.TTL, 100*time.Millisecond, time.Hour),
			"Time that the usage of a maildrop with a quota stays cached. Mail that other servers accept within this time is not counted, so that a maildrop can exceed its quota by that mail."},
		setting{"policy.usage_cache_size", integer(&c.Quota.Size, 100, maxCount),
			"Most maildrops, and domains, whose usage is cached; each takes about 300 octets."},
	)
}

// policyValue is a setting that accounts and domains may have, too. Its value is a text.
type policyValue struct {
	p *account.Policy
	s account.Setting
}

func (v policyValue) set(x any) error {
	text, ok := x.(string)
	if !ok {
		if n, whole := x.(int64); whole {
			return v.parse(fmt.Sprint(n))
		}
		return fmt.Errorf("%s is not a text: it takes %s", show(x), v.s.Form)
	}
	return v.parse(text)
}

func (v policyValue) parse(text string) error { return v.s.Check(v.p, text) }

func (v policyValue) literal() string { return quote(v.s.Show(*v.p)) }

func (v policyValue) form() string { return v.s.Form }
