package config

import (
	"fmt"
	"strconv"
	"strings"
	"time"
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

// value is the type of a setting, with a pointer to the field.
type value interface {
	// set stores a value in the form of go-toml for an empty interface.
	set(v any) error
	// parse stores the text of an environment variable.
	parse(s string) error
	// literal returns the present value in the form of a TOML file.
	literal() string
	// form returns a phrase for the form of the value, such as "true or false".
	form() string
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

// show returns a TOML value for a message: short, on one line.
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

// quote returns s as a TOML basic string.
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
