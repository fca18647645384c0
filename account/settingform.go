package account

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"popelago/mail"
)

// Texts of values without a limit and without an end.
const (
	textUnlimited = "unlimited"
	textNever     = "never"
)

// maxReason limits the reason of a restriction, in octets.
const maxReason = 200

// word makes a setting whose value is one of a few words. The first word is the default.
func word[T ~string](name string, field func(*Policy) *T, words ...T) Setting {
	names := make([]string, len(words))
	for i, w := range words {
		names[i] = string(w)
	}
	last := len(names) - 1
	form := strings.Join(names[:last], ", ") + " or " + names[last]
	return Setting{
		Name: name, Form: form,
		read: func(p *Policy, text string) error {
			for _, w := range words {
				if string(w) == text {
					*field(p) = w
					return nil
				}
			}
			return fmt.Errorf("%.60q is not %s", text, form)
		},
		show: func(p Policy) string {
			if w := *field(&p); w != "" {
				return string(w)
			}
			return names[0]
		},
	}
}

// octets makes a setting whose value is a size of least octets or more, or unlimited, which is zero.
func octets(name string, field func(*Policy) *int64, least int64) Setting {
	form := `a size such as 2GiB or 500MB, or unlimited`
	return limit(name, form, field, least, mail.ParseOctets, mail.FormatOctets)
}

// count makes a setting whose value is a positive number, or unlimited, which is zero.
func count(name string, field func(*Policy) *int64) Setting {
	parse := func(text string) (int64, bool) {
		n, err := strconv.ParseInt(text, 10, 64)
		return n, err == nil
	}
	show := func(n int64) string { return strconv.FormatInt(n, 10) }
	return limit(name, "a number such as 10000, or unlimited", field, 1, parse, show)
}

func limit(name, form string, field func(*Policy) *int64, least int64, parse func(string) (int64, bool), show func(int64) string) Setting {
	return Setting{
		Name: name, Form: form,
		read: func(p *Policy, text string) error {
			if text == textUnlimited {
				*field(p) = 0
				return nil
			}
			n, ok := parse(text)
			switch {
			case !ok:
				return fmt.Errorf("%.60q is not %s", text, form)
			case n < least:
				return fmt.Errorf("%.60q is too small: at least %s", text, show(least))
			}
			*field(p) = n
			return nil
		},
		show: func(p Policy) string {
			if n := *field(&p); n > 0 {
				return show(n)
			}
			return textUnlimited
		},
	}
}

// reason makes the setting of a free text.
func reason() Setting {
	return Setting{
		Name: "reason", Form: fmt.Sprintf("a text on one line, up to %d octets", maxReason),
		read: func(p *Policy, text string) error {
			printable := utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) })
			switch {
			case len(text) > maxReason:
				return fmt.Errorf("the text is too long: at most %d octets", maxReason)
			case !printable:
				return errors.New("the text has characters that cannot be printed")
			}
			p.Reason = text
			return nil
		},
		show: func(p Policy) string { return p.Reason },
	}
}

// expiry makes the setting of the end of an account: a day, which is the last day of the use, a moment, or
// never.
func expiry() Setting {
	form := "a day such as 2027-03-31, a moment such as 2027-03-31T18:00:00Z, or never"
	return Setting{
		Name: "expires", Form: form,
		read: func(p *Policy, text string) error {
			if text == textNever {
				p.Expires = time.Time{}
				return nil
			}
			if day, err := time.Parse(time.DateOnly, text); err == nil {
				p.Expires = day.AddDate(0, 0, 1)
				return nil
			}
			moment, err := time.Parse(time.RFC3339, text)
			if err != nil || moment.Nanosecond() != 0 {
				return fmt.Errorf("%.60q is not %s", text, form)
			}
			p.Expires = moment.UTC()
			return nil
		},
		show: func(p Policy) string {
			switch {
			case p.Expires.IsZero():
				return textNever
			case p.Expires.Equal(p.Expires.Truncate(24 * time.Hour)):
				return p.Expires.AddDate(0, 0, -1).Format(time.DateOnly)
			}
			return p.Expires.Format(time.RFC3339)
		},
	}
}
