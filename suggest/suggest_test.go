package suggest

import "testing"

func TestNearest(t *testing.T) {
	names := []string{"quota", "quota_messages", "reading", "reason", "deliver"}
	for s, want := range map[string]string{
		"quta": "quota", "quotas": "quota", "readin": "reading", "delivery": "deliver", "quota": "quota", "color": "", "": "",
	} {
		if got := Nearest(s, names, 2); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", s, got, want)
		}
	}
}
