package delivery

import (
	"errors"
	"strings"
	"testing"
)

func TestText(t *testing.T) {
	tests := []struct {
		in       string
		err      error
		ends     bool
		received int
	}{
		{"", nil, true, 0},
		{"\r\n", nil, true, 0},
		{"a", nil, false, 0},
		{"a\r\n", nil, true, 0},
		{"a\r", ErrBareLineEnd, false, 0},
		{"a\n", ErrBareLineEnd, false, 0},
		{"\n", ErrBareLineEnd, false, 0},
		{"\r\r\n", ErrBareLineEnd, false, 0},
		{"\r\n\n", ErrBareLineEnd, false, 0},
		{"a\r\nb\rc\r\n", ErrBareLineEnd, false, 0},
		{"a\r\nb\nc\r\n", ErrBareLineEnd, false, 0},
		{"a\r\n\r", ErrBareLineEnd, false, 0},
		{"Received: x\r\n", nil, true, 1},
		{"received : x\r\n\ty\r\nRECEIVED:x\r\nReceived-SPF: x\r\nX-Received: x\r\nReceive: x\r\nReceivedd: x\r\n", nil, true, 2},
		{"Received: x\r\n\r\nReceived: x\r\n", nil, true, 1},
		{"Received: x\r\nno field\r\nReceived: x\r\n", nil, true, 1},
		{"Received: x\r\n>From x\r\nReceived: x\r\n", nil, true, 1},
		{"Received: x\r\n continued\r\n Received: x\r\n", nil, true, 1},
		{"Received: x\r\n: no name\r\nReceived: x\r\n", nil, true, 1},
		{"Received: x\r\n\x80: 8-bit name\r\nReceived: x\r\n", nil, true, 1},
		{"\r\nReceived: x\r\n", nil, true, 0},
		{"Received", nil, false, 0},
		{"Received x: y\r\nReceived: x\r\n", nil, true, 0},
		{"From x\r\nReceived: x\r\n", nil, true, 1},
		{"Received: x\r\nFrom x\r\nReceived: x\r\n", nil, true, 1},
	}
	for _, test := range tests {
		for _, step := range []int{1, 2, 3, 5, 1000} {
			got := newText()
			err := scanBy(&got, test.in, step)
			if !errors.Is(err, test.err) || err == nil && (got.ends != test.ends || got.received != test.received) {
				t.Errorf("%q by %d: ends %t, received %d, %v; want %t, %d, %v",
					test.in, step, got.ends, got.received, err, test.ends, test.received, test.err)
			}
		}
	}
}

func scanBy(t *text, s string, step int) error {
	for len(s) > 0 {
		n := min(step, len(s))
		if err := t.scan([]byte(s[:n])); err != nil {
			return err
		}
		s = s[n:]
	}
	return t.end()
}

// FuzzText compares scan with a simple check of line ends, and a text in pieces with the whole text.
func FuzzText(f *testing.F) {
	for _, seed := range []string{"Received: x\r\n\r\nbody\r\n", "a\rb", "a\nb", "a\r", "\r\n.\r\n", "Received :\r\n\t\r\nx", "From x\r\nTo: y\r\n", " x: y", "x y: z"} {
		f.Add(seed, 1)
	}
	f.Fuzz(func(t *testing.T, s string, step int) {
		rest := strings.ReplaceAll(s, "\r\n", "")
		bare := strings.ContainsAny(rest, "\r\n") // also in "\r\r\n\n", of which "\r\n" remains
		whole := newText()
		err := scanBy(&whole, s, len(s)+1)
		if bare != (err != nil) {
			t.Fatalf("%q: bare %t, %v", s, bare, err)
		}
		cut := newText()
		again := scanBy(&cut, s, 1+(step&0xFF))
		if (err == nil) != (again == nil) {
			t.Fatalf("%q: whole %v, in steps %v", s, err, again)
		}
		if err == nil && (whole.ends != cut.ends || whole.received != cut.received || whole.opening != cut.opening || whole.ends != (s == "" || strings.HasSuffix(s, "\r\n"))) {
			t.Errorf("%q: whole %+v, in steps %+v", s, whole, cut)
		}
	})
}
