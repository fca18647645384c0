package token

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of a lifetime.
const (
	minLifetime = time.Minute
	maxLifetime = 10 * 365 * 24 * time.Hour
)

// ParseLifetime returns a lifetime from days such as 90d, or a duration of package time such as 36h. The
// empty text gives zero: no end. Errors: ErrBadRequest.
func ParseLifetime(s string) (time.Duration, error) {
	if s == "" {
		return 0, nil
	}
	d, err := time.ParseDuration(s)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, daysErr := strconv.ParseUint(days, 10, 16)
		d, err = time.Duration(n)*24*time.Hour, daysErr
	}
	switch {
	case err != nil:
		return 0, fmt.Errorf("%w: %q is not a lifetime such as 90d or 36h", ErrBadRequest, s)
	case d < minLifetime || d > maxLifetime:
		return 0, fmt.Errorf("%w: the lifetime %q is out of range: 1m to 3650d", ErrBadRequest, s)
	}
	return d, nil
}
