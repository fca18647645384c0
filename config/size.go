package config

import (
	"fmt"
	"math"

	"popelago/mail"
)

// size is a setting in octets: a whole number, or a text with a unit.
func size[T ~int | ~int64](p *T, least, most int64) *number[T] {
	read := func(v any) (T, error) {
		n, err := readSize(v)
		return T(n), err
	}
	show := func(n T) string { return mail.FormatOctets(int64(n)) }
	return &number[T]{p: p, min: T(least), max: T(most), example: sizeExample, read: read, show: show, quoted: true}
}

// kibibytes is a setting in octets, in whole KiB, that a Config holds in KiB.
func kibibytes(p *uint32, least, most int64) *number[uint32] {
	read := func(v any) (uint32, error) {
		n, err := readSize(v)
		if err == nil && n%kib != 0 {
			err = fmt.Errorf("%s is not in whole KiB", mail.FormatOctets(n))
		}
		return uint32(min(n/kib, math.MaxUint32)), err
	}
	show := func(n uint32) string { return mail.FormatOctets(int64(n) * kib) }
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
		if n, ok := mail.ParseOctets(v); ok {
			return n, nil
		}
	}
	return 0, fmt.Errorf(`%s is not a size such as "64MiB", "50MB" or 1048576`, show(v))
}
