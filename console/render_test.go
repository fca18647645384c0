package console

import "testing"

func TestSpanOf(t *testing.T) {
	for in, want := range map[string]string{
		"168h0m0s": "7 days", "24h0m0s": "24 hours", "36h0m0s": "36 hours", "1h0m0s": "1 hour", "15m0s": "15 minutes", "1m0s": "1 minute", "1m30s": "90 seconds",
		"1s": "1 second", "100ms": "100ms", "0s": "0s", "forever": "forever", "": "",
	} {
		if got := spanOf(in); got != want {
			t.Errorf("spanOf(%q) = %q, want %q", in, got, want)
		}
	}
}
