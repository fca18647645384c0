package mail_test

import (
	"testing"

	"popelago/mail"
)

func TestDurability(t *testing.T) {
	for _, test := range []struct {
		text          string
		want          mail.Durability
		each, orLocal bool
	}{
		{"default", mail.DurabilityDefault, false, false},
		{"local", mail.DurabilityLocal, false, false},
		{"each", mail.DurabilityEach, true, false},
		{"each-or-local", mail.DurabilityEachOrLocal, true, true},
	} {
		d, err := mail.ParseDurability(test.text)
		if err != nil || d != test.want || d.String() != test.text || d.Each() != test.each || d.OrLocal() != test.orLocal {
			t.Errorf("%q is %q, %v: each %t, or local %t", test.text, d, err, d.Each(), d.OrLocal())
		}
		want := d
		if d == mail.DurabilityDefault {
			want = mail.DurabilityEach
		}
		if got := d.Or(mail.DurabilityEach); got != want {
			t.Errorf("%q or each is %q", d, got)
		}
	}
	for _, text := range []string{"", "everywhere", "Local", "each "} {
		if d, err := mail.ParseDurability(text); err == nil {
			t.Errorf("%q was read as %q", text, d)
		}
	}
	unknown := mail.Durability("of a newer release")
	if unknown.Each() || unknown.OrLocal() || unknown.Or(mail.DurabilityEach) != mail.DurabilityEach {
		t.Errorf("an unknown durability is %q", unknown.Or(mail.DurabilityEach))
	}
}
