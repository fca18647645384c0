package wire_test

import (
	"bytes"
	"strings"
	"testing"

	"popelago/wire"
)

func TestSplitVerb(t *testing.T) {
	tests := []struct{ in, verb, arg string }{
		{"", "", ""},
		{"NOOP", "NOOP", ""},
		{"noop", "NOOP", ""},
		{"Noop ", "NOOP", ""},
		{"PASS  a b ", "PASS", " a b "},
		{"UTF8", "UTF8", ""},
		{"LONGVERB x", "LONGVERB", "x"},
		{"LONGVERBS x", "", "x"},
		{" NOOP", "", "NOOP"},
		{"NO\x00P", "", ""},
		{"N\xc3\xb6\xc3\xb6p", "", ""},
		{"NOOP\tx", "", ""},
		{"NOOP\r", "", ""},
	}
	for _, tt := range tests {
		v, arg := wire.SplitVerb([]byte(tt.in))
		if v.String() != tt.verb || string(arg) != tt.arg {
			t.Errorf("SplitVerb(%q) = %q, %q, want %q, %q", tt.in, v, arg, tt.verb, tt.arg)
		}
	}
}

func TestVerbOf(t *testing.T) {
	if v, _ := wire.SplitVerb([]byte("stls")); v != wire.VerbOf("STLS") {
		t.Errorf("stls is %q, STLS is %q", v, wire.VerbOf("STLS"))
	}
}

func FuzzSplitVerb(f *testing.F) {
	for _, s := range []string{"RETR 1", "TOP 1 0", "list +1", "LONGVERBS x", " x"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		before := bytes.Clone(line)
		v, arg := wire.SplitVerb(line)
		if !bytes.Equal(line, before) {
			t.Fatalf("%q was changed", before)
		}
		_, want, _ := bytes.Cut(line, []byte(" "))
		if !bytes.Equal(arg, want) {
			t.Errorf("%q: argument %q, want %q", line, arg, want)
		}
		if name := v.String(); name != "" {
			if got := strings.ToUpper(string(line[:len(name)])); got != name {
				t.Errorf("%q: verb %q", line, name)
			}
		}
	})
}
