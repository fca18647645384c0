package smtpserver

import (
	"strings"
	"testing"
	"unicode/utf8"

	"popelago/mail"
)

func TestParsePath(t *testing.T) {
	ok := []struct {
		in, local, domain, rest string
		ascii                   bool
	}{
		{"<>", "", "", "", true},
		{"<> SIZE=1", "", "", " SIZE=1", true},
		{"<a@b>", "a", "b", "", true},
		{"<a@b>  X", "a", "b", "  X", true},
		{"<Postmaster>", "Postmaster", "", "", true},
		{"<@x,@y.z:a@b>", "a", "b", "", true},
		{`<"a@b>\"\\c"@d>`, `a@b>"\c`, "d", "", true},
		{`<"a"@d>`, "a", "d", "", true},
		{"<a@[192.0.2.1]>", "a", "[192.0.2.1]", "", true},
		{"<a@[ipv6:2001:DB8::1]>", "a", "[ipv6:2001:DB8::1]", "", true},
		{"<jürgen@b>", "jürgen", "b", "", false},
		{"<a@jürgen.example>", "a", "jürgen.example", "", false},
		{`<"ü"@b>`, "ü", "b", "", false},
		{"<!#$%&'*+-/=?^_`{|}~@b>", "!#$%&'*+-/=?^_`{|}~", "b", "", true},
	}
	for _, test := range ok {
		p, rest, err := parsePath(test.in)
		want := path{addr: mail.Address{Local: test.local, Domain: test.domain}, ascii: test.ascii}
		if err != nil || p != want || rest != test.rest {
			t.Errorf("parsePath(%q) = %+v, %q, %v; want %+v, %q", test.in, p, rest, err, want, test.rest)
		}
	}
	long := strings.Repeat("x", maxPath)
	for _, in := range []string{
		"", "<", ">", "a@b", "<a@b", "a@b>", "<<a@b>>", "<a@b>x", "<a @b>", "<@b>", "<a@>", "<a@b@c>", "<@a:>", "<@a>", "<@a,:x@y>",
		"<@a,b:x@y>", "<@a:@b:x@y>", `<"a"b@c>`, `<"a@c>`, `<"a\"@c>`, "<\"a\tb\"@c>", "<\"a\\\xff\"@c>", "<a@b.>", "<a@.b>", "<a@b..c>",
		"<a@b!c>", "<a@[1.2.3]>", "<a@[::1]>", "<a@[IPv6:1.2.3.4]>", "<a@[IPv6:fe80::1%eth0]>", "<a@[x:y]>", "<a@[]>", "<a@[192.0.2.1]x>",
		"<\xff@b>", "<a@\xff>", "<" + long + "@b>", "<" + strings.Repeat("@a,", 400) + "@a:x@y>", "<\x00@b>", "<a\r@b>",
	} {
		if p, rest, err := parsePath(in); err == nil {
			t.Errorf("parsePath(%q) = %+v, %q; want an error", in, p, rest)
		}
	}
}

func TestParseBDAT(t *testing.T) {
	for in, want := range map[string]struct {
		n    int64
		last bool
	}{"0": {}, "12": {12, false}, "0 LAST": {0, true}, "7  last ": {7, true}, "9223372036854775807": {1<<63 - 1, false}} {
		if n, last, err := parseBDAT(in); err != nil || n != want.n || last != want.last {
			t.Errorf("parseBDAT(%q) = %d, %t, %v", in, n, last, err)
		}
	}
	for _, in := range []string{"", "LAST", "1x", "+1", "-0", "1 2", "1 LAST LAST", "0x10", "9223372036854775808", "1\tLAST", " 1"} {
		if n, last, err := parseBDAT(in); err == nil {
			t.Errorf("parseBDAT(%q) = %d, %t; want an error", in, n, last)
		}
	}
}

// FuzzPath: an accepted path is fit for a header line, and parses to the same path again.
func FuzzPath(f *testing.F) {
	for _, seed := range []string{"<>", "<a@b> SIZE=1 BODY=8BITMIME", `<"a \" b"@c.d>`, "<@a,@b:c@[192.0.2.1]>", "<ü@ü.example> SMTPUTF8", "<postmaster>"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, rest, err := parsePath(s)
		if err != nil {
			return
		}
		params, err := parseParams(rest)
		if err == nil {
			for _, p := range params {
				if p.key == "" || p.hasValue != (p.value != "") || strings.ContainsAny(p.key+p.value, " =") {
					t.Errorf("%q: parameter %+v", rest, p)
				}
			}
		}
		if p.null() {
			return
		}
		out := p.addr.PathString()
		if p.addr.Domain == "" {
			return
		}
		if len(out) > maxPath+len(`""`) || !utf8.ValidString(out) || strings.ContainsAny(out, "\r\n\x00") || p.ascii != mail.IsASCII(out) {
			t.Errorf("%q became %q, ascii %t", s, out, p.ascii)
		}
		again, rest, err := parsePath("<" + out + ">")
		if err != nil || again != p || rest != "" {
			t.Errorf("%q became %q, which is read as %+v, %q, %v", s, out, again, rest, err)
		}
	})
}
