package mail

import (
	"math"
	"strconv"
	"strings"
)

// unit is a unit of sizes, a power of 1024.
type unit struct {
	name   string
	octets int64
}

// units returns the units of FormatOctets, the largest first.
func units() []unit {
	return []unit{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

// ParseOctets reads a size: digits and a unit. The unit is absent, KiB, MiB, GiB, TiB (powers of 1024), KB,
// MB, GB, TB (powers of 1000), in any case, with or without a space between.
func ParseOctets(s string) (octets int64, ok bool) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	n, err := strconv.ParseInt(strings.TrimSuffix(digits, " "), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	var factor int64
	switch strings.ToLower(s[len(digits):]) {
	case "", "b":
		factor = 1
	case "kib":
		factor = 1 << 10
	case "mib":
		factor = 1 << 20
	case "gib":
		factor = 1 << 30
	case "tib":
		factor = 1 << 40
	case "kb":
		factor = 1e3
	case "mb":
		factor = 1e6
	case "gb":
		factor = 1e9
	case "tb":
		factor = 1e12
	default:
		return 0, false
	}
	if n > math.MaxInt64/factor {
		return 0, false
	}
	return n * factor, true
}

// FormatOctets returns a size with the largest unit that divides the size, such as 64MiB. ParseOctets
// undoes FormatOctets.
func FormatOctets(octets int64) string {
	for _, u := range units() {
		if octets >= u.octets && octets%u.octets == 0 {
			return strconv.FormatInt(octets/u.octets, 10) + u.name
		}
	}
	return strconv.FormatInt(octets, 10)
}
