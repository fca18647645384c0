package adminclient

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// The retentions in words. An account without a retention has the retention of its domain.
const (
	RetainForever  = "forever"
	RetainAsDomain = "domain"
)

// maxRetention is more than anybody needs, and less than a time.Duration can hold.
const maxRetention = 200 * 365 * 24 * time.Hour

// ParseRetention reads a retention: days such as "90d", hours such as "36h", or "1d12h"; "forever"
// gives a negative duration, "domain" gives zero.
func ParseRetention(s string) (time.Duration, error) {
	switch s {
	case RetainForever:
		return -time.Microsecond, nil
	case RetainAsDomain:
		return 0, nil
	}
	bad := fmt.Errorf("%q is not a retention such as \"90d\", \"36h\" or \"forever\"", s)
	rest := s
	var whole time.Duration
	if digits, after, ok := strings.Cut(s, "d"); ok {
		days, err := strconv.ParseUint(digits, 10, 32)
		if err != nil || days > uint64(maxRetention/(24*time.Hour)) {
			return 0, bad
		}
		whole, rest = time.Duration(days)*24*time.Hour, after
	}
	if rest != "" {
		part, err := time.ParseDuration(rest)
		if err != nil || part < 0 || part > maxRetention {
			return 0, bad
		}
		whole += part
	}
	if whole == 0 || whole > maxRetention {
		return 0, bad
	}
	return whole, nil
}

// FormatRetention undoes ParseRetention.
func FormatRetention(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < 0:
		return RetainForever
	case d == 0:
		return RetainAsDomain
	case d%day == 0:
		return fmt.Sprintf("%dd", d/day)
	case d > day:
		return fmt.Sprintf("%dd%v", d/day, d%day)
	}
	return d.String()
}
