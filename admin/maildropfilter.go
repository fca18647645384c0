package admin

import (
	"fmt"
	"time"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
)

// filter selects messages by the time in their ids, and by size. The zero value selects all.
type filter struct {
	from, before time.Time // zero: no limit
	least, most  int64     // octets; most 0: no limit
}

// parseFilter reads a filter, with ages counted back from now. Errors: account.ErrBadSetting.
func parseFilter(f adminclient.MaildropFilter, now time.Time) (out filter, err error) {
	if out.before, err = agoOf(f.OlderThan, now); err != nil {
		return out, err
	}
	if out.from, err = agoOf(f.NewerThan, now); err != nil {
		return out, err
	}
	out.least, out.most = f.MinOctets, f.MaxOctets
	return out, nil
}

// agoOf returns the moment that lies an age before now; zero for an empty age.
func agoOf(age string, now time.Time) (time.Time, error) {
	if age == "" {
		return time.Time{}, nil
	}
	d, err := mail.ParseRetention(age)
	if err != nil || !d.Ends() {
		return time.Time{}, fmt.Errorf("%w: %q is not an age such as \"90d\" or \"36h\"", account.ErrBadSetting, age)
	}
	return now.Add(-time.Duration(d)), nil
}

func (f filter) selects(m mail.Message) bool {
	at := m.ID.Time()
	switch {
	case !f.before.IsZero() && at.After(f.before),
		!f.from.IsZero() && !at.After(f.from),
		m.Size < f.least,
		f.most > 0 && m.Size > f.most:
		return false
	}
	return true
}
