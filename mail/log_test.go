package mail_test

import (
	"strings"
	"testing"

	"popelago/mail"
)

func TestLogText(t *testing.T) {
	for _, test := range []struct{ in, want string }{
		{"", ""},
		{"alice@example.test", "alice@example.test"},
		{"müller@example.test", "müller@example.test"},
		{"M\xfcller", `M\xfcller`},
		{"a\r\nlogin", `a\r\nlogin`},
		{"\x1b[2J", `\x1b[2J`},
		{"\u0085\u009b", `\u0085\u009b`},
		{"\u202eecila", `\u202eecila`},
		{"al\u200bice", `al\u200bice`},
		{`"remote=192.0.2.1"`, `\"remote=192.0.2.1\"`},
		{`\`, `\\`},
		{strings.Repeat("x", 100), strings.Repeat("x", 100)},
		{strings.Repeat("x", 101), strings.Repeat("x", 100) + "..."},
		{strings.Repeat("x", 99) + "ü", strings.Repeat("x", 99) + "..."},
		{strings.Repeat("\x80", 200), strings.Repeat(`\x80`, 96) + "..."},
	} {
		if got := mail.LogText(test.in); got != test.want {
			t.Errorf("%q: got %q, want %q", test.in, got, test.want)
		}
	}
}
