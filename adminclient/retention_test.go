package adminclient_test

import (
	"testing"
	"time"

	"popelago/adminclient"
)

func TestRetention(t *testing.T) {
	const day = 24 * time.Hour
	for s, want := range map[string]time.Duration{
		"90d": 90 * day, "1d": day, "36h": 36 * time.Hour, "1d12h": 36 * time.Hour, "90m": 90 * time.Minute,
		"1d30m": day + 30*time.Minute, "forever": -time.Microsecond, "domain": 0, "73000d": 73000 * day,
	} {
		got, err := adminclient.ParseRetention(s)
		if err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", s, got, err, want)
		}
		if again, err := adminclient.ParseRetention(adminclient.FormatRetention(got)); err != nil || again != got {
			t.Errorf("%q became %q, which is %v, %v", s, adminclient.FormatRetention(got), again, err)
		}
	}
	for _, s := range []string{
		"", "90", "d", "-1d", "1.5d", "0d", "0h", "1d-1h", "90 d", "90days", "never", "Forever", "73001d", "4294967296d",
		"99999999999999999999d", "1d1d", "2000000h",
	} {
		if got, err := adminclient.ParseRetention(s); err == nil {
			t.Errorf("%q was taken for %v", s, got)
		}
	}
	for d, want := range map[time.Duration]string{90 * day: "90d", 36 * time.Hour: "1d12h0m0s", time.Hour: "1h0m0s", 0: "domain", -1: "forever"} {
		if got := adminclient.FormatRetention(d); got != want {
			t.Errorf("%v is %q, want %q", d, got, want)
		}
	}
}
