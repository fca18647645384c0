package maildrop

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"popelago/store"
)

func TestParseHeader(t *testing.T) {
	for _, test := range []struct {
		name, text string
		cut        bool
		want       []Field
		whole      bool
	}{
		{"fields", "A: 1\r\nB:2 \r\n\r\nC: 3\r\n", false, []Field{{"A", "1"}, {"B", "2"}}, true},
		{"folded", "Subject: one\r\n two\r\n\tthree\r\n\r\n", false, []Field{{"Subject", "one two\tthree"}}, true},
		{"blank before the colon", "Old : x\r\n\r\n", false, []Field{{"Old", "x"}}, true},
		{"a line that is no field", "A: 1\r\nno field\r\nB: 2\r\n", false, []Field{{"A", "1"}}, true},
		{"begins folded", " x\r\nA: 1\r\n\r\n", false, []Field{{"A", "1"}}, true},
		{"ends with the text", "A: 1\r\n", false, []Field{{"A", "1"}}, true},
		{"empty", "", false, nil, true},
		{"cut in a field", "A: 1\r\nB: 2", true, []Field{{"A", "1"}}, false},
		{"cut in a folded field", "A: 1\r\nB: 2\r\n 3", true, []Field{{"A", "1"}}, false},
		{"cut where a field may go on", "A: 1\r\nB: 2\r\n", true, []Field{{"A", "1"}}, false},
		{"cut behind the header", "A: 1\r\n\r\nbody", true, []Field{{"A", "1"}}, true},
	} {
		got, whole := parseHeader(test.text, test.cut)
		if !slices.Equal(got, test.want) || whole != test.whole {
			t.Errorf("%s: %q: got %q, %v; want %q, %v", test.name, test.text, got, whole, test.want, test.whole)
		}
	}
}

func FuzzHeader(f *testing.F) {
	f.Add("A: 1\r\n b\r\n\r\n", true)
	f.Fuzz(func(t *testing.T, text string, cut bool) {
		fields, _ := parseHeader(text, cut)
		for _, field := range fields {
			if strings.Contains(field.Name+field.Body, "\r\n") {
				t.Errorf("%q: field %q", text, field)
			}
		}
	})
}

func TestVerifier(t *testing.T) {
	for text, good := range map[string]bool{
		"a\r\n": true, "\r\n\r\n": true, "a\r\nb": false, "a\nb\r\n": false, "a\rb\r\n": false, "a\r": false, "\n": false, "a\r\r\n": false, "": false,
	} {
		for size := 1; size <= max(len(text), 1); size++ {
			var v verifier
			var err error
			for part := range slices.Chunk([]byte(text), size) {
				if _, err = v.Write(part); err != nil {
					break
				}
			}
			if err == nil {
				err = v.end()
			}
			if good != (err == nil) || err != nil && !errors.Is(err, store.ErrCorrupt) {
				t.Errorf("%q in pieces of %d: %v, want sound: %v", text, size, err, good)
			}
		}
	}
}
