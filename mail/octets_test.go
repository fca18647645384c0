package mail

import "testing"

func TestOctets(t *testing.T) {
	for _, test := range []struct {
		in   string
		want int64
		ok   bool
	}{
		{"0", 0, true}, {"1", 1, true}, {"17B", 17, true}, {"64KiB", 64 << 10, true}, {"64kib", 64 << 10, true},
		{"50MB", 50e6, true}, {"50 MB", 50e6, true}, {"2GiB", 2 << 30, true}, {"1TB", 1e12, true}, {"1TiB", 1 << 40, true},
		{"", 0, false}, {"MB", 0, false}, {"-1", 0, false}, {"1.5MB", 0, false}, {"1M", 0, false}, {"1  MB", 0, false},
		{"0x10", 0, false}, {"9223372036854775807", 1<<63 - 1, true}, {"9223372036854775808", 0, false}, {"8388608TiB", 0, false},
	} {
		if got, ok := ParseOctets(test.in); got != test.want || ok != test.ok {
			t.Errorf("ParseOctets(%q) = %d, %v; want %d, %v", test.in, got, ok, test.want, test.ok)
		}
	}
	for _, n := range []int64{0, 1, 1000, 1024, 1 << 20, 3 << 30, 1<<40 + 1} {
		if got, ok := ParseOctets(FormatOctets(n)); got != n || !ok {
			t.Errorf("%d is shown as %s and read as %d", n, FormatOctets(n), got)
		}
	}
}

func TestReading(t *testing.T) {
	for _, c := range []struct {
		text          string
		each, orLocal bool
	}{{"local", false, false}, {"each", true, false}, {"each-or-local", true, true}} {
		if r := Reading(c.text); r.String() != c.text || r.Each() != c.each || r.OrLocal() != c.orLocal {
			t.Errorf("%s: %v %v %v", c.text, r, r.Each(), r.OrLocal())
		}
	}
	if s := Reading("nearest").String() + Reading("").String(); s != "locallocal" {
		t.Error(s)
	}
}
