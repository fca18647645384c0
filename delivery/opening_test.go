package delivery_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"popelago/delivery"
	"popelago/delivery/deliverytest"
)

// TestOpening: a text stays a text. A text that does not begin with a header field is stored behind an
// empty line, however it is cut into chunks, and no octet of the text is changed.
func TestOpening(t *testing.T) {
	long := strings.Repeat("x", 40_000)
	tests := []struct{ text, gap string }{
		{"", ""},
		{"\r\n", ""},
		{"\r\nbody\r\n", ""},
		{"\r\n Subject: x\r\n", ""},
		{"Subject: x\r\n\r\nbody\r\n", ""},
		{"Subject : x\r\n", ""},
		{"Subject \t : x\r\n", ""},
		{"X:\r\n", ""},
		{"X:" + long + "\r\n", ""},
		{"From: x\r\n", ""},
		{"From : x\r\n", ""},
		{"Received: x\r\n", ""},
		{"Subject: x\r\nno field\r\n\r\nbody\r\n", ""},

		{" continued\r\n", "\r\n"},
		{"\tcontinued: x\r\nSubject: x\r\n\r\nbody\r\n", "\r\n"},
		{" \r\nSubject: x\r\n", "\r\n"},
		{"\t", "\r\n"},
		{"text\r\n", "\r\n"},
		{"text", "\r\n"},
		{"Subject", "\r\n"},
		{"Subject ", "\r\n"},
		{"Received\r\n: x\r\n", "\r\n"},
		{"Foo bar: x\r\n\r\nbody\r\n", "\r\n"},
		{"Foo\tbar: x\r\n", "\r\n"},
		{": no name\r\n", "\r\n"},
		{".\r\n", "\r\n"},
		{"\x00: x\r\n", "\r\n"},
		{"Gr\u00fc\u00dfe: x\r\n", "\r\n"},
		{long + "\r\n", "\r\n"},
		{long + ": x\r\n", "\r\n"},
		{long, "\r\n"},
		{"x" + strings.Repeat(" ", 40_000) + ": x\r\n", "\r\n"},

		{"From alice@example.org Mon Jan  2 15:04:05 2006\r\nSubject: x\r\n\r\nbody\r\n", "Mailbox-Line: "},
		{"From alice\r\nX :\r\n", "Mailbox-Line: "},
		{"From alice@example.org Mon Jan  2 15:04:05 2006\r\n", "\r\n"},
		{"From alice", "\r\n"},
		{"From \r\n", "\r\n"},
		{"From now on:\r\n\r\nbody\r\n", "\r\n"},
		{"From now on\r\n there is no header\r\n", "\r\n"},
		{"From one\r\nFrom two\r\nSubject: x\r\n", "\r\n"},
		{"From " + long + "\r\nSubject: x\r\n", "\r\n"},
		{"from alice\r\nSubject: x\r\n", "\r\n"},
		{"Fromm alice\r\nSubject: x\r\n", "\r\n"},
	}
	w := deliverytest.New(t, deliverytest.Options{})
	n := 0
	for _, test := range tests {
		for _, step := range []int{1, 2, 5, 1999, 2000, 2001, 1 << 20} {
			if step < 5 && len(test.text) > 10_000 {
				continue
			}
			in, err := w.Begin(context.Background(), w.Envelope(t, "alice"))
			if err != nil {
				t.Fatal(err)
			}
			for rest := test.text; rest != ""; {
				k := min(step, len(rest))
				if _, err := in.ReadFrom(strings.NewReader(rest[:k])); err != nil {
					t.Fatal(err)
				}
				rest = rest[k:]
			}
			res := in.Finish(context.Background())
			if res.Errors[0] != nil || res.Size != int64(len(test.text)) {
				t.Fatalf("%.60q by %d: %+v", test.text, step, res)
			}
			n++
			got := last(t, w, "alice", n)
			_, got, ok := strings.Cut(got, " +0000\r\n")
			want := test.gap + test.text
			if test.text != "" && !strings.HasSuffix(want, "\r\n") {
				want += "\r\n"
			}
			if !ok || got != want {
				t.Errorf("%.60q by %d: behind the trace lines is %.80q, want %.80q", test.text, step, got, want)
			}
		}
	}
}

// last reads the newest of n messages, and checks the listed size.
func last(t *testing.T, w *deliverytest.World, local string, n int) string {
	t.Helper()
	all := w.Open(t, local)
	if all.Len() != n {
		t.Fatalf("%s has %d messages, want %d", local, all.Len(), n)
	}
	return deliverytest.ReadMessage(t, all, n)
}

// TestNormalize: a bare LF becomes CRLF wherever the text is cut, stored octets are counted, and a
// bare CR is still refused.
func TestNormalize(t *testing.T) {
	tests := []struct {
		in, want string
		made     int64
		err      error
	}{
		{"", "", 0, nil},
		{"Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbody\r\n", 0, nil},
		{"Subject: x\n\nbody\n", "Subject: x\r\n\r\nbody\r\n", 3, nil},
		{"Subject: x\n\r\n\n\r\n\n", "Subject: x\r\n\r\n\r\n\r\n\r\n", 3, nil},
		{"Subject: x\n.\n..\n", "Subject: x\r\n.\r\n..\r\n", 3, nil},
		{"\n", "\r\n", 1, nil},
		{"Subject: x\n\nno line end", "Subject: x\r\n\r\nno line end\r\n", 2, nil},
		{"X: \x00\n\x00\r\n", "X: \x00\r\n\x00\r\n", 1, nil},
		{"X:\n" + strings.Repeat("\n", 33_000), "X:\r\n" + strings.Repeat("\r\n", 33_000), 33_001, nil},
		{"Subject: x\r\r\n", "", 0, delivery.ErrBareLineEnd},
		{"Subject: x\ry\n", "", 0, delivery.ErrBareLineEnd},
		{"Subject: x\n\r", "", 0, delivery.ErrBareLineEnd},
		{"Subject: x\n\r\x00\n", "", 0, delivery.ErrBareLineEnd},
		{"X:\n" + strings.Repeat("\n", 50_000), "", 0, delivery.ErrTooLarge}, // as it is stored
	}
	w := deliverytest.New(t, deliverytest.Options{Delivery: delivery.Config{MaxMessageSize: 66_100}})
	n, changed := 0, 0
	for _, test := range tests {
		for _, step := range []int{1, 2, 3, 1 << 20} {
			if step < 1<<20 && len(test.in) > 10_000 {
				continue
			}
			e := w.Envelope(t, "alice")
			e.NormalizeLF = true
			in, err := w.Begin(context.Background(), e)
			if err != nil {
				t.Fatal(err)
			}
			for rest := test.in; rest != ""; {
				k := min(step, len(rest))
				if _, err = in.ReadFrom(strings.NewReader(rest[:k])); err != nil {
					break
				}
				rest = rest[k:]
			}
			res := in.Finish(context.Background())
			name := fmt.Sprintf("%.40q by %d", test.in, step)
			if test.err != nil {
				if !errors.Is(res.Errors[0], test.err) {
					t.Errorf("%s: %v, want %v", name, res.Errors[0], test.err)
				}
				continue
			}
			size := int64(len(test.want))
			if strings.HasSuffix(test.in, "line end") {
				size -= 2 // ours
			}
			if res.Errors[0] != nil || res.Size != size || res.Normalized != test.made {
				t.Fatalf("%s: %+v", name, res)
			}
			n++
			if test.made > 0 {
				changed++
			}
			got := last(t, w, "alice", n)
			if _, got, _ := strings.Cut(got, " +0000\r\n"); got != test.want {
				t.Errorf("%s: %.80q, want %.80q", name, got, test.want)
			}
		}
	}
	if got := counter(t, w, "popelago_delivery_normalized_messages_total"); got != float64(changed) {
		t.Errorf("%v messages were normalized, want %d", got, changed)
	}
}

// counter returns the value of a counter without labels.
func counter(t *testing.T, w *deliverytest.World, name string) float64 {
	t.Helper()
	families, err := w.Registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == name {
			return f.GetMetric()[0].GetCounter().GetValue()
		}
	}
	t.Fatalf("there is no metric %s", name)
	return 0
}
