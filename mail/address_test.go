package mail_test

import (
	"errors"
	"strings"
	"testing"

	"popelago/mail"
)

func TestParseAddress(t *testing.T) {
	for in, want := range map[string]mail.Address{
		"a@b":                          {Local: "a", Domain: "b"},
		"a@b@c.d":                      {Local: "a@b", Domain: "c.d"},
		"A.B+c@EXAMPLE.test":           {Local: "A.B+c", Domain: "EXAMPLE.test"},
		"user#1:x@example.test":        {Local: "user#1:x", Domain: "example.test"},
		"jürgen@jürgen.example":        {Local: "jürgen", Domain: "jürgen.example"},
		"a@example.test.":              {Local: "a", Domain: "example.test."},
		"a@[192.0.2.1]":                {Local: "a", Domain: "[192.0.2.1]"},
		"a@[IPv6:2001:db8::1]":         {Local: "a", Domain: "[IPv6:2001:db8::1]"},
		"a@host_name.example":          {Local: "a", Domain: "host_name.example"},
		`"quoted"@example.test`:        {Local: `"quoted"`, Domain: "example.test"},
		strings.Repeat("x", 64) + "@b": {Local: strings.Repeat("x", 64), Domain: "b"},
	} {
		if got, err := mail.ParseAddress(in); err != nil || got != want {
			t.Errorf("ParseAddress(%q) = %+v, %v; want %+v", in, got, err, want)
		}
	}
	for _, in := range []string{
		"", "@", "a", "a@", "@b", "a b@c", "a\r@c", "a\n@c", "a\x00@c", "a\x7f@c", "\xff@c", "a\u0085@c", "a@b c", "a@b\r\n", "a@.", "a@..",
		"a@b..c", "a@.b", "a@\xff", "a@[", "a@[ ]", "a@[x", "a@b:25", "a@" + strings.Repeat("x", 64), "a@" + strings.Repeat("x.", 150) + "y",
		strings.Repeat("x", 65) + "@b", "a@example.test..",
	} {
		if got, err := mail.ParseAddress(in); !errors.Is(err, mail.ErrBadAddress) {
			t.Errorf("ParseAddress(%q) = %+v, %v; want ErrBadAddress", in, got, err)
		}
	}
}

func TestCanonical(t *testing.T) {
	for in, want := range map[string]string{
		"Alice@Example.TEST":                "alice@example.test",
		"alice@example.test.":               "alice@example.test",
		"JÜRGEN@Jürgen.Example":             "jürgen@xn--jrgen-kva.example",
		"ju\u0308rgen@ju\u0308rgen.example": "jürgen@xn--jrgen-kva.example",
		"a@XN--JRGEN-KVA.example":           "a@xn--jrgen-kva.example",
		"a@[IPv6:2001:DB8::1]":              "a@[ipv6:2001:db8::1]",
		"a@HOST_name.example":               "a@host_name.example",
		"\u212A@b":                          "k@b", // the Kelvin sign
	} {
		a, err := mail.ParseAddress(in)
		if err != nil {
			t.Errorf("%q: %v", in, err)
			continue
		}
		if got := a.Canonical().String(); got != want {
			t.Errorf("%q: canonical %q, want %q", in, got, want)
		}
	}
}

func TestPathString(t *testing.T) {
	for local, want := range map[string]string{
		"a": "a@d", "a.b": "a.b@d", ".a": `".a"@d`, "a..b": `"a..b"@d`, "a b": `"a b"@d`, `a"b\c`: `"a\"b\\c"@d`,
		"a@b": `"a@b"@d`, "ü": "ü@d", "": `""@d`, "#$%&'*+-/=?^_`{|}~!": "#$%&'*+-/=?^_`{|}~!@d", "a:b": `"a:b"@d`,
	} {
		if got := (mail.Address{Local: local, Domain: "d"}).PathString(); got != want {
			t.Errorf("%q: %s, want %s", local, got, want)
		}
	}
}

func TestParsePath(t *testing.T) {
	for _, local := range []string{
		"a", "a.b", ".a", "a..b", `a"b\c`, "a@b", "ü", "#$%&'*+-/=?^_`{|}~!", "a:b", `"`, `""`, `\`, `\\`, `"@`, `x"@y`, `"quoted"`, `ends\`, `a\"@d`,
	} {
		for _, domain := range []string{"d", "Example.TEST", "[IPv6:2001:db8::1]", "jürgen.example"} {
			want := mail.Address{Local: local, Domain: domain}
			if got, err := mail.ParsePath(want.PathString()); err != nil || got != want {
				t.Errorf("ParsePath(%s) = %+v, %v; want %+v", want.PathString(), got, err, want)
			}
		}
	}
	for _, in := range []string{
		"", "a", "@d", `"`, `"@`, `"@d`, `"a@d`, `"a" d`, `""@d`, `"a"@`, `"a"@d e`, `"a b"@d`, "\"a\x00\"@d", `"` + strings.Repeat("x", 65) + `"@d`,
	} {
		if got, err := mail.ParsePath(in); !errors.Is(err, mail.ErrBadAddress) {
			t.Errorf("ParsePath(%q) = %+v, %v; want ErrBadAddress", in, got, err)
		}
	}
}

// FuzzAddress: the canonical form is an address and stays the same when made canonical again. Mailbox
// ids derive from the canonical form.
func FuzzAddress(f *testing.F) {
	for _, seed := range []string{"a@b", "Ä@Ä.example", "a@[::1]", "a@b.", "a@b..", "\u212A@\u212A", "İ@İ.example", "ß@straße.example", "a@xn--a", "a@a_b.ü"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, err := mail.ParseAddress(s)
		if err != nil {
			if !errors.Is(err, mail.ErrBadAddress) {
				t.Errorf("%q: %v", s, err)
			}
			return
		}
		if a.String() != s {
			t.Errorf("%q became %q", s, a)
		}
		if back, err := mail.ParsePath(a.PathString()); err != nil || back != a {
			t.Errorf("%q: as a path %s, and that is %+v, %v", s, a.PathString(), back, err)
		}
		c := a.Canonical()
		if again := c.Canonical(); again != c {
			t.Errorf("%q: canonical %q, and then %q", s, c, again)
		}
		if strings.ContainsAny(c.String(), "\r\n\x00 ") || strings.HasSuffix(c.Domain, ".") || c.Domain == "" {
			t.Errorf("%q: canonical %q", s, c)
		}
		if err := c.Validate(); err != nil && len(c.Local) <= mail.MaxLocal {
			t.Errorf("%q: canonical %q: %v", s, c, err)
		}
		if mail.DeriveMailboxID(a, mail.MessageID{}) != mail.DeriveMailboxID(c, mail.MessageID{}) {
			t.Errorf("%q and its canonical form have two mailboxes", s)
		}
	})
}
