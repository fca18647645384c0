package token

import (
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
)

// A scanner for leaked secrets may use this expression.
var scanner = regexp.MustCompile(`\bpopelago_[a-z2-7]{59}\b`)

func TestSecret(t *testing.T) {
	seen := map[string]bool{}
	for range 100 {
		s := newSecret()
		if !scanner.MatchString("secret="+s+",") || seen[s] {
			t.Fatalf("secret %q", s)
		}
		seen[s] = true
		hash, err := hashOf(s)
		id := idOf(hash)
		if err != nil || len(id) != 12 || strings.Contains(s, id) || seen[id] {
			t.Fatalf("id %q of %q, %v", id, s, err)
		}
		seen[id] = true
	}
}

// Every single mistake in a secret is found without a store.
func TestMistypedSecret(t *testing.T) {
	good := newSecret()
	if _, err := hashOf(good); err != nil {
		t.Fatal(err)
	}
	bad := []string{"", " ", "popelago_", good[1:], good[:len(good)-1], good + "a", good + "\n", " " + good, strings.ToUpper(good), strings.Repeat("x", len(good)), good + good}
	for i := range good {
		for _, c := range "az27-é" {
			if s := good[:i] + string(c) + good[i+1:]; s != good {
				bad = append(bad, s)
			}
		}
		if i > 0 && good[i] != good[i-1] {
			bad = append(bad, good[:i-1]+good[i:i+1]+good[i-1:i]+good[i+1:])
		}
	}
	for _, s := range bad {
		if _, err := hashOf(s); !errors.Is(err, ErrMalformed) || !errors.Is(err, ErrBadToken) {
			t.Errorf("%q: %v", s, err)
		}
	}
}

func TestParseLifetime(t *testing.T) {
	for text, want := range map[string]time.Duration{"": 0, "90d": 90 * 24 * time.Hour, "36h": 36 * time.Hour, "1m": time.Minute, "3650d": 3650 * 24 * time.Hour} {
		if got, err := ParseLifetime(text); err != nil || got != want {
			t.Errorf("%q: %v, %v; want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"90", "-1d", "0d", "0", "59s", "3651d", "99999999999d", "1d12h", "never", "d", "1.5d"} {
		if got, err := ParseLifetime(text); !errors.Is(err, ErrBadRequest) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}
