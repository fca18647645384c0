package mail_test

import (
	"errors"
	"strings"
	"testing"

	"popelago/mail"
)

// The mapping of internationalized domains removes invisible characters: two names would become equal
// without notice.
func TestDomainsWithInvisibleCharacters(t *testing.T) {
	for _, domain := range []string{
		"a\u200Bb.test", "a\u00ADb.test", "a\u200Db.test", "\u2060a.test", "a.te\uFE0Fst", "a\u034Fb.test", "a\uFEFF.test",
		"a\u202Eb.test", "a\u3000b.test", "a\u0085.test",
	} {
		_, err := mail.CanonicalDomain(domain)
		if !errors.Is(err, mail.ErrBadAddress) || !strings.Contains(err.Error(), "which cannot be seen") {
			t.Errorf("%q: %v", domain, err)
		}
	}
	for _, domain := range []string{"\u201Ch.test\u201D", "\u00ABh.test\u00BB", "h\u2019s.test"} {
		if got, err := mail.CanonicalDomain(domain); !errors.Is(err, mail.ErrBadAddress) {
			t.Errorf("%q: %q, %v", domain, got, err)
		}
	}
}

// Texts for logs and terminals have no invisible character, even if Go counts the character as
// printable.
func TestErrorsAndLogTextsCanBeSeen(t *testing.T) {
	for _, unseen := range []string{"\u115F", "\u3164", "\uFE0F", "\u034F", "\u202E", "\u200B", "\U000E0100", "\u17B4"} {
		in := "a" + unseen + "b"
		if got := mail.LogText(in); mail.CheckVisible(got) != nil {
			t.Errorf("%+q is logged as %+q", in, got)
		}
		for _, address := range []string{in + "@example.test", "a@" + in + ".test", in} {
			_, err := mail.ParseAddress(address)
			if err == nil || mail.CheckVisible(err.Error()) != nil {
				t.Errorf("%+q: %+q", address, err)
			}
		}
	}
	if got, want := mail.LogText("\u115F\U000E0100"), `\u115f\U000e0100`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
