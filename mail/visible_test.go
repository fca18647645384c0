package mail_test

import (
	"errors"
	"strings"
	"testing"

	"popelago/mail"
)

func TestCheckVisible(t *testing.T) {
	for in, want := range map[string]string{
		"":                    "",
		"plain text, ünï?":    "",
		"日本語":                 "",
		"M\xfcnchen":          "octet 2 (0xFC) is not UTF-8",
		"\uFFFD is UTF-8 yet": "",
		"tab\t":               "octet 4 begins the character U+0009, which cannot be seen",
		"c1\u0085":            "octet 3 begins the character U+0085",
		"rtl\u202Eexe":        "octet 4 begins the character U+202E",
		"zero\u200Bwidth":     "U+200B",
		"bom\uFEFF":           "U+FEFF",
		"soft\u00ADhyphen":    "U+00AD",
		"hangul\u3164filler":  "U+3164",
		"line\u2028":          "U+2028",
		"nbsp\u00A0":          "U+00A0",
		"tag\U000E0041":       "U+E0041",
		"private\uE000":       "U+E000",
	} {
		err := mail.CheckVisible(in)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
		if printable := mail.Printable(in); mail.CheckVisible(printable) != nil || err == nil && !strings.Contains(in, "\uFFFD") && printable != in {
			t.Errorf("%q is printed as %q", in, printable)
		}
	}
}

func TestNamesOfAccounts(t *testing.T) {
	for _, local := range []string{"a", "#:$%&'*", "ünï?", "Jürgen", "日本語", "אבג", "ẞ"} {
		if err := (mail.Address{Local: local, Domain: "example.test"}).Validate(); err != nil {
			t.Errorf("%q: %v", local, err)
		}
	}
	for _, local := range []string{
		"M\xfcnchen", "a\u202Eb", "a\u0085b", "a\u200Bb", "ａlice", "ﬁ", "a b", "a\tb", "x\uFFFD", "א?b",
	} {
		if err := (mail.Address{Local: local, Domain: "example.test"}).Validate(); !errors.Is(err, mail.ErrBadAddress) {
			t.Errorf("%q: %v, want ErrBadAddress", local, err)
		}
	}
}

func TestNewAddressWithTwoAts(t *testing.T) {
	if _, err := mail.ParseNewAddress("a@b@example.test"); !errors.Is(err, mail.ErrBadAddress) || !strings.Contains(err.Error(), `write "a@b"@example.test`) {
		t.Error(err)
	}
	for _, in := range []string{`"a@b"@example.test`, "a@example.test"} {
		if a, err := mail.ParseNewAddress(in); err != nil || a.PathString() != in {
			t.Errorf("%s: %v, %v", in, a, err)
		}
	}
}

func TestLiterals(t *testing.T) {
	for in, want := range map[string]string{
		"[192.0.2.1]": "[192.0.2.1]", "[IPv6:2001:DB8:0::1]": "[ipv6:2001:db8::1]",
		"[../../x]": "", "[]": "", "[x]": "", "[2001:db8::1]": "", "[IPv6:192.0.2.1]": "", "[IPv6:fe80::1%eth0]": "", "[192.0.2]": "",
		"-a.test": "", "a-.test": "", "a.-b.test": "", "a-b.test": "a-b.test", "a.test": "a.test",
	} {
		got, err := mail.CanonicalDomain(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("CanonicalDomain(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"MX.Example.TEST.": "mx.example.test", "jürgen.example": "xn--jrgen-kva.example", "192.0.2.1": "[192.0.2.1]",
		"2001:db8::1": "[IPv6:2001:db8::1]", "[2001:DB8::1]": "[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]": "[IPv6:2001:db8::1]",
		"localhost": "localhost", "": "", "a b": "", "mail/x": "", "fe80::1%eth0": "", "mx:25": "",
	} {
		got, err := mail.CanonicalHostname(in)
		if got != want || (err == nil) != (want != "") {
			t.Errorf("CanonicalHostname(%q) = %q, %v; want %q", in, got, err, want)
		}
	}
}
