package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"popelago/mail"
)

// word is a setting with a text.
type word struct {
	p     *string
	what  string
	check func(string) error
	// isPath: a relative path is relative to the folder of the file.
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

// text is a setting with a text that check accepts, or an empty text.
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
		case forShell(s):
			return fmt.Errorf("%q begins with %c, which only a shell replaces: write the whole path, such as \"/home/NAME/mail\"", s, s[0])
		}
		return nil
	}}
}

// forShell reports whether a shell would replace the beginning of a path, as in ~/mail or
// $HOME/mail.
func forShell(path string) bool { return strings.HasPrefix(path, "~") || strings.HasPrefix(path, "$") }

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

// address is a setting with a mail address; the zero address is written as an empty text.
type address struct{ p *mail.Address }

const addressForm = `a mail address such as "admin@example.org"`

func (a address) set(v any) error {
	s, ok := v.(string)
	if !ok {
		return fmt.Errorf("%s is not a text: it takes %s", show(v), addressForm)
	}
	return a.parse(s)
}

func (a address) parse(s string) error {
	if s == "" {
		*a.p = mail.Address{}
		return nil
	}
	parsed, err := mail.ParseAddress(s)
	if err != nil {
		return fmt.Errorf("%q is not %s: %w", s, addressForm, plain(err))
	}
	*a.p = parsed
	return nil
}

func (a address) literal() string {
	if a.p.IsZero() {
		return quote("")
	}
	return quote(a.p.String())
}

func (a address) form() string { return addressForm }
