package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size reads octets: a whole number, or a text with a unit.
func size(p *int64, least, most int64) *number[int64] {
	read := func(v any) (int64, error) {
		switch v := v.(type) {
		case int64:
			return v, nil
		case string:
			if n, ok := parseSize(v); ok {
				return n, nil
			}
		}
		return 0, fmt.Errorf(`%s is not a size such as "64MiB", "50MB" or 1048576`, show(v))
	}
	return &number[int64]{
		p: p, min: least, max: most, example: `a size such as "64MiB" or "50MB"`, read: read, show: showSize, quoted: true,
	}
}

// parseSize reads digits and a unit: none, KiB, MiB, GiB, TiB (powers of 1024), KB, MB, GB,
// TB (powers of 1000), in any case, with or without a space between.
func parseSize(s string) (int64, bool) {
	digits := strings.TrimRight(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
	unit := strings.ToLower(s[len(digits):])
	n, err := strconv.ParseInt(strings.TrimSuffix(digits, " "), 10, 64)
	if err != nil || n < 0 {
		return 0, false
	}
	var factor int64
	switch unit {
	case "", "b":
		factor = 1
	case "kib":
		factor = kib
	case "mib":
		factor = mib
	case "gib":
		factor = gib
	case "tib":
		factor = tib
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

func showSize(n int64) string {
	for _, u := range []struct {
		name   string
		octets int64
	}{{"TiB", tib}, {"GiB", gib}, {"MiB", mib}, {"KiB", kib}} {
		if n >= u.octets && n%u.octets == 0 {
			return strconv.FormatInt(n/u.octets, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10)
}
