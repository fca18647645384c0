package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a setting in octets: a whole number, or a text with a unit.
func size[T ~int | ~int64](p *T, least, most int64) *number[T] {
	read := func(v any) (T, error) {
		n, err := readSize(v)
		return T(n), err
	}
	show := func(n T) string { return showSize(int64(n)) }
	return &number[T]{p: p, min: T(least), max: T(most), example: sizeExample, read: read, show: show, quoted: true}
}

// kibibytes is a setting in octets, in whole KiB, that a Config holds in KiB.
func kibibytes(p *uint32, least, most int64) *number[uint32] {
	read := func(v any) (uint32, error) {
		n, err := readSize(v)
		if err == nil && n%kib != 0 {
			err = fmt.Errorf("%s is not in whole KiB", showSize(n))
		}
		return uint32(min(n/kib, math.MaxUint32)), err
	}
	show := func(n uint32) string { return showSize(int64(n) * kib) }
	return &number[uint32]{
		p: p, min: uint32(least / kib), max: uint32(most / kib), example: sizeExample, read: read, show: show, quoted: true,
	}
}

const sizeExample = `a size such as "64MiB" or "50MB"`

func readSize(v any) (int64, error) {
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
