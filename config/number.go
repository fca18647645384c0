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
type number[T ~int | ~int64] struct {
	p        *T
	min, max T
	reason   string // where min comes from, for the error; may be empty
	example  string // the form, a phrase
	// read takes a TOML value or the text of a variable.
	read func(v any) (T, error)
	show func(T) string
	// quoted says that show gives a text, not a TOML number.
	quoted bool
	check  func(T) error
}

// because says where the least value comes from.
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
		return strconv.Quote(n.show(*n.p))
	}
	return n.show(*n.p)
}

func (n *number[T]) form() string {
	return fmt.Sprintf("%s, %s to %s", n.example, n.show(n.min), n.show(n.max))
}

func integer(p *int, least, most int) *number[int] {
	read := func(v any) (int, error) {
		if n, ok := v.(int64); ok {
			// 32-bit machines: keep the order, so that the range refuses it.
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

// showDuration is time.Duration.String without its zeros: 10m, not 10m0s.
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
