package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// number is a setting with a range: a count, a duration or a size.
type number[T ~int | ~int64 | ~uint32] struct {
	p        *T
	min, max T
	reason   string // for min, in errors; may be empty
	example  string // a phrase for the form
	// read accepts a TOML value or the text of a variable.
	read func(v any) (T, error)
	show func(T) string
	// quoted: show returns a text, not a TOML number.
	quoted bool
	check  func(T) error
	// off: the setting 0 is stored as a negative number.
	off bool
}

// off is the value of a package's Config for "0: off" of a setting: zero means the default there.
const off = -1

// zeroIsOff stores the setting 0 as off.
func (n *number[T]) zeroIsOff() *number[T] {
	n.off = true
	return n
}

// get returns the setting.
func (n *number[T]) get() T {
	if n.off && *n.p < 0 {
		return 0
	}
	return *n.p
}

// checked adds a check of values within the range.
func (n *number[T]) checked(check func(T) error) *number[T] {
	n.check = check
	return n
}

// because sets the reason for the least value.
func (n *number[T]) because(reason string) *number[T] {
	n.reason = reason
	return n
}

func (n *number[T]) set(v any) error {
	x, err := n.read(v)
	if err != nil {
		return err
	}
	at := func(limit T) string {
		if n.reason != "" {
			return fmt.Sprintf("%s (%s)", n.show(limit), n.reason)
		}
		return n.show(limit)
	}
	less, more := "too small", "too large"
	if _, ok := any(x).(time.Duration); ok {
		less, more = "too short", "too long"
	}
	switch {
	case x < n.min:
		return fmt.Errorf("%s is %s: at least %s", show(v), less, at(n.min))
	case x > n.max:
		return fmt.Errorf("%s is %s: at most %s", show(v), more, n.show(n.max))
	}
	if n.check != nil {
		if err := n.check(x); err != nil {
			return fmt.Errorf("%s %w", show(v), err)
		}
	}
	if n.off && x == 0 {
		x--
	}
	*n.p = x
	return nil
}

func (n *number[T]) parse(s string) error {
	if i, err := strconv.ParseInt(s, 10, 64); err == nil && !n.quoted {
		return n.set(i)
	}
	return n.set(s)
}

func (n *number[T]) literal() string {
	if n.quoted {
		return strconv.Quote(n.show(n.get()))
	}
	return n.show(n.get())
}

func (n *number[T]) form() string {
	return fmt.Sprintf("%s, %s to %s", n.example, n.show(n.min), n.show(n.max))
}

func integer(p *int, least, most int) *number[int] {
	read := func(v any) (int, error) {
		if n, ok := v.(int64); ok {
			// On 32-bit machines: keep the number out of range.
			return int(min(max(n, math.MinInt32), math.MaxInt32)), nil
		}
		return 0, fmt.Errorf("%s is not a whole number such as 100", show(v))
	}
	return &number[int]{p: p, min: least, max: most, example: "a whole number", read: read, show: strconv.Itoa}
}

func duration(p *time.Duration, least, most time.Duration) *number[time.Duration] {
	read := func(v any) (time.Duration, error) {
		if s, ok := v.(string); ok {
			if d, err := time.ParseDuration(s); err == nil {
				return d, nil
			}
			if days, found := strings.CutSuffix(s, "d"); found {
				if n, err := strconv.ParseUint(days, 10, 16); err == nil {
					return 0, fmt.Errorf(`%s is not a duration: write days as hours, "%dh"`, show(v), 24*n)
				}
			}
		}
		return 0, fmt.Errorf(`%s is not a duration such as "90s", "10m" or "1h30m"`, show(v))
	}
	return &number[time.Duration]{
		p: p, min: least, max: most, example: `a duration such as "90s" or "10m"`, read: read, show: showDuration, quoted: true,
	}
}

func wholeSeconds(p *time.Duration, least, most time.Duration) *number[time.Duration] {
	n := duration(p, least, most)
	n.check = func(d time.Duration) error {
		if d%time.Second != 0 {
			return errors.New(`is not in whole seconds, such as "60s"`)
		}
		return nil
	}
	return n
}

// showDuration returns time.Duration.String without the last zeros: 10m, not 10m0s.
func showDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = s[:len(s)-2]
	}
	if strings.HasSuffix(s, "h0m") {
		s = s[:len(s)-2]
	}
	return s
}
