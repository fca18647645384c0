package config

import (
	"errors"
	"fmt"
	"math"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"popelago/mail"
)

// Units of sizes, and bounds that mean "any reasonable number".
const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
	tib = 1 << 40

	day      = 24 * time.Hour
	maxCount = 100_000_000
)

// value is what a setting takes. It points to where the setting is kept.
type value interface {
	// set takes a value as go-toml decodes it into an empty interface.
	set(v any) error
	// parse takes the text of an environment variable.
	parse(s string) error
	// literal is the present value as it stands in a TOML file.
	literal() string
	// form says what the value looks like, for people: a phrase like "true or false".
	form() string
}

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

// word is a setting that is a text.
type word struct {
	p     *string
	what  string
	check func(string) error
	// isPath says that a relative one is relative to the file's folder.
	isPath bool
}

func (w *word) set(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("%s is not a text: it takes %s", show(v), w.what)
	}
	return w.parse(s)
}

func (w *word) parse(s string) error {
	if err := w.check(s); err != nil {
		return err
	}
	*w.p = s
	return nil
}

func (w *word) literal() string { return quote(*w.p) }
func (w *word) form() string    { return w.what }

// text is a setting that check accepts; empty is always accepted.
func text(p *string, what string, check func(string) error) *word {
	return &word{p: p, what: what, check: func(s string) error {
		if s == "" {
			return nil
		}
		if err := check(s); err != nil {
			return fmt.Errorf("%q is not %s: %w", s, what, err)
		}
		return nil
	}}
}

const (
	required = true
	optional = false
)

func path(p *string, must bool) *word {
	return &word{p: p, what: `a path such as "/var/lib/popelago"`, isPath: true, check: func(s string) error {
		switch {
		case s == "" && must:
			return errors.New("must not be empty")
		case strings.ContainsRune(s, 0):
			return fmt.Errorf("%q is not a path", s)
		}
		return nil
	}}
}

func oneOf(p *string, words ...string) *word {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = strconv.Quote(w)
	}
	what := strings.Join(quoted, ", ")
	if n := len(quoted); n > 1 {
		what = strings.Join(quoted[:n-1], ", ") + " or " + quoted[n-1]
	}
	return &word{p: p, what: what, check: func(s string) error {
		if !slices.Contains(words, s) {
			return fmt.Errorf("%q is not %s", s, what)
		}
		return nil
	}}
}

// address is host:port, or unix:/path where that is allowed.
func address(p *string, unixToo bool) *word {
	what := `an address such as "127.0.0.1:110", ":110" or "[::1]:110"`
	if unixToo {
		what = `an address such as "127.0.0.1:24", ":24" or "unix:/run/popelago/lmtp"`
	}
	return text(p, what, func(s string) error {
		if file, ok := strings.CutPrefix(s, "unix:"); ok {
			switch {
			case !unixToo:
				return errors.New("a unix socket is not possible here")
			case !filepath.IsAbs(file):
				return errors.New("the path of a unix socket must begin with /")
			case len(file) > maxSocketPath:
				return fmt.Errorf("the path of a unix socket may have %d octets", maxSocketPath)
			}
			return nil
		}
		return checkHostPort(s)
	})
}

// maxSocketPath is the longest path of a unix socket that all systems take, in octets.
const maxSocketPath = 103

func checkHostPort(s string) error {
	if strings.Contains(s, "://") {
		return errors.New("it is a URL")
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 {
		return errors.New("the port is missing")
	}
	host, port := s[:colon], s[colon+1:]
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("the port %q is not a number from 0 to 65535", port)
	}
	if inner, ok := strings.CutPrefix(host, "["); ok {
		ip, err := netip.ParseAddr(strings.TrimSuffix(inner, "]"))
		if err != nil || !strings.HasSuffix(inner, "]") || !ip.Is6() {
			return fmt.Errorf("%q is not an IPv6 address in brackets", host)
		}
		return nil
	}
	if strings.Contains(host, ":") {
		return errors.New("an IPv6 address belongs in brackets")
	}
	if host == "" {
		return nil
	}
	return checkHostname(host)
}

func checkHostname(s string) error {
	if strings.HasPrefix(s, "[") || strings.ContainsAny(s, ":/@ ") {
		return errors.New("it holds a character that host names do not have")
	}
	_, err := mail.CanonicalDomain(s)
	return plain(err)
}

func checkDomain(s string) error {
	_, err := mail.CanonicalDomain(s)
	return plain(err)
}

func checkAddress(s string) error {
	_, err := mail.ParseAddress(s)
	return plain(err)
}

// plain drops the sentinel's words, which the message around it says already.
func plain(err error) error {
	if err == nil {
		return nil
	}
	return errors.New(strings.TrimPrefix(err.Error(), mail.ErrBadAddress.Error()+": "))
}

type toggle struct{ p *bool }

func boolean(p *bool) toggle { return toggle{p} }

func (t toggle) set(v any) error {
	b, ok := v.(bool)
	if !ok {
		return fmt.Errorf("%s is not true or false (without quotes)", show(v))
	}
	*t.p = b
	return nil
}

func (t toggle) parse(s string) error {
	switch s {
	case "true":
		*t.p = true
	case "false":
		*t.p = false
	default:
		return fmt.Errorf("%q is not true or false", s)
	}
	return nil
}

func (t toggle) literal() string { return strconv.FormatBool(*t.p) }
func (t toggle) form() string    { return "true or false" }

// show is a TOML value as it may stand in a message: short, on one line.
func show(v any) string {
	var s string
	switch v := v.(type) {
	case string:
		s = strconv.Quote(v)
	case map[string]any:
		return "a table"
	case []any:
		return "a list"
	default:
		s = fmt.Sprint(v)
	}
	const most = 60
	if len(s) > most {
		return s[:most] + "..."
	}
	return s
}

// quote is s as a TOML basic string.
func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7F:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}
