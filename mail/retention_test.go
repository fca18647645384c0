package mail_test

import (
	"testing"
	"time"

	"popelago/mail"
)

func TestRetention(t *testing.T) {
	const day = mail.Retention(24 * time.Hour)
	const hour, minute = mail.Retention(time.Hour), mail.Retention(time.Minute)
	for s, want := range map[string]mail.Retention{
		"90d": 90 * day, "1d": day, "36h": 36 * hour, "1d12h": 36 * hour, "90m": 90 * minute,
		"1d30m": day + 30*minute, "forever": -mail.Retention(time.Microsecond), "domain": 0, "73000d": 73000 * day,
	} {
		got, err := mail.ParseRetention(s)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
		if again, err := mail.ParseRetention(got.String()); err != nil || again != got {
			t.Errorf("%q became %q, which is %v, %v", s, got.String(), again, err)
		}
	}
	for _, s := range []string{
		"", "90", "d", "-1d", "1.5d", "0d", "0h", "1d-1h", "90 d", "90days", "never", "Forever", "73001d", "4294967296d",
		"99999999999999999999d", "1d1d", "2000000h",
	} {
		if got, err := mail.ParseRetention(s); err == nil {
			t.Errorf("%q was taken for %v", s, got)
		}
	}
	for d, want := range map[mail.Retention]string{90 * day: "90d", 36 * hour: "1d12h0m0s", hour: "1h0m0s", 0: "domain", -1: "forever"} {
		if got := d.String(); got != want {
			t.Errorf("%d is %q, want %q", d, got, want)
		}
	}
}

// The retention of an account counts before that of its domain, and the zero value of neither ends.
func TestRetentionInForce(t *testing.T) {
	const week, month = mail.Retention(7 * 24 * time.Hour), mail.Retention(30 * 24 * time.Hour)
	now := time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		own, domain, want mail.Retention
		since             time.Time // zero: no end
	}{
		{mail.AsDomain, mail.AsDomain, mail.AsDomain, time.Time{}},
		{mail.AsDomain, week, week, now.Add(-7 * 24 * time.Hour)},
		{mail.AsDomain, mail.Forever, mail.Forever, time.Time{}},
		{week, month, week, now.Add(-7 * 24 * time.Hour)},
		{month, week, month, now.Add(-30 * 24 * time.Hour)},
		{week, mail.AsDomain, week, now.Add(-7 * 24 * time.Hour)},
		{mail.Forever, week, mail.Forever, time.Time{}},
		{-5, week, -5, time.Time{}},
	} {
		got := test.own.Or(test.domain)
		if got != test.want || got.Ends() == test.since.IsZero() || !got.Since(now).Equal(test.since) {
			t.Errorf("%v in a domain with %v: %v, ends %t, since %v", test.own, test.domain, got, got.Ends(), got.Since(now))
		}
	}
	for _, test := range []struct{ a, b, want mail.Retention }{
		{week, month, week}, {month, week, week}, {week, mail.Forever, week}, {mail.Forever, week, week},
		{mail.AsDomain, month, month}, {month, mail.AsDomain, month}, {mail.AsDomain, mail.AsDomain, mail.AsDomain},
	} {
		if got := test.a.Shorter(test.b); got != test.want {
			t.Errorf("the shorter of %v and %v is %v", test.a, test.b, got)
		}
	}
	for _, r := range []mail.Retention{week, mail.AsDomain, mail.Forever} {
		if got := mail.RetentionMicroseconds(r.Microseconds()); got != r {
			t.Errorf("%v is stored as %v", r, got)
		}
	}
}
