package mail

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Retention is the longest time that messages stay in a maildrop, to the microsecond. A positive
// value ends it. Its text form is days such as "90d", hours such as "36h", both such as "1d12h",
// "forever" or "domain"; storage engines store its Microseconds.
type Retention time.Duration

const (
	// AsDomain is the zero value: an account has the retention of its domain. A domain with the
	// zero value keeps messages for ever.
	AsDomain Retention = 0
	// Forever keeps messages for ever, whatever the domain says. Every negative value does.
	Forever Retention = -Retention(time.Microsecond)
)

// MaxRetention is the longest retention with an end, 200 years: less than a time.Duration can hold.
const MaxRetention = Retention(200 * 365 * day)

const (
	day = 24 * time.Hour

	textForever  = "forever"
	textAsDomain = "domain"
)

// ParseRetention reads the text form.
func ParseRetention(s string) (Retention, error) {
	switch s {
	case textForever:
		return Forever, nil
	case textAsDomain:
		return AsDomain, nil
	}
	bad := fmt.Errorf("%q is not a retention such as \"90d\", \"36h\" or \"forever\"", s)
	rest := s
	var whole time.Duration
	if digits, after, ok := strings.Cut(s, "d"); ok {
		days, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || days > uint64(time.Duration(MaxRetention)/day) {
			return 0, bad
		}
		whole, rest = time.Duration(days)*day, after
	}
	if rest != "" {
		part, err := time.ParseDuration(rest)
		if err != nil || part < 0 || part > time.Duration(MaxRetention) {
			return 0, bad
		}
		whole += part
	}
	if whole == 0 || whole > time.Duration(MaxRetention) {
		return 0, bad
	}
	return Retention(whole), nil
}

// String returns the text form.
func (r Retention) String() string {
	switch d := time.Duration(r); {
	case d < 0:
		return textForever
	case d == 0:
		return textAsDomain
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d > day:
		return fmt.Sprintf("%dd%v", d/day, d%day)
	default:
		return d.String()
	}
}

// RetentionMicroseconds undoes Microseconds.
func RetentionMicroseconds(n int64) Retention { return Retention(time.Duration(n) * time.Microsecond) }

// Microseconds returns the form that storage engines store.
func (r Retention) Microseconds() int64 { return time.Duration(r).Microseconds() }

// Or returns the retention in force of an account with the retention r in a domain with the
// retention domain.
func (r Retention) Or(domain Retention) Retention {
	if r == AsDomain {
		return domain
	}
	return r
}

// Ends reports whether the time that messages stay has an end.
func (r Retention) Ends() bool { return r > 0 }

// Since returns the moment at and before which messages are past the retention; the zero time
// without an end.
func (r Retention) Since(now time.Time) time.Time {
	if !r.Ends() {
		return time.Time{}
	}
	return now.Add(-time.Duration(r))
}

// Within returns the retention that is nearest to r among the retentions from least to greatest. A bound
// without an end is no bound. If the bounds contradict each other, least counts, because mail that was kept
// too long can still be removed.
func (r Retention) Within(least, greatest Retention) Retention {
	if greatest.Ends() {
		r = r.Shorter(greatest)
	}
	if r.Ends() && r < least {
		return least
	}
	return r
}

// Shorter returns the retention of r and other that ends first. Without an end in either, the
// result is the zero value or Forever.
func (r Retention) Shorter(other Retention) Retention {
	if !r.Ends() || other.Ends() && other < r {
		return other
	}
	return r
}
