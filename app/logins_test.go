package app

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"popelago/config"
)

// TestExamineLogins: a service for other machines needs a certificate, or the word of the administrator, for logins.
func TestExamineLogins(t *testing.T) {
	for address, warned := range map[string]bool{
		":110": true, "0.0.0.0:110": true, "[::]:110": true, "192.0.2.7:110": true, "mail.example.org:110": true,
		"127.0.0.1:110": false, "[::1]:110": false, "localhost:110": false,
	} {
		cfg := config.Default()
		cfg.POP3.Listen = []string{"127.0.0.1:1110", address}
		cfg.UserPage.Listen, cfg.SMTP.Listen, cfg.LMTP.Listen = []string{address}, []string{":25"}, []string{"unix:/run/lmtp"}
		want := []string{}
		if warned {
			want = []string{"pop3 on " + address + " refuses logins", "userpage on " + address + " refuses logins"}
		}
		found := examineLogins(cfg)
		if len(found) != len(want) {
			t.Errorf("%s: %v, want %q", address, found, want)
			continue
		}
		for i, f := range found {
			if !strings.HasPrefix(f.Text, want[i]) || f.Level != FindingWarning {
				t.Errorf("%s: %v, want %q", address, f, want[i])
			}
		}
		for i, change := range []func(*config.Config){
			func(c *config.Config) { c.TLS.Certificate = "cert.pem" },
			func(c *config.Config) { c.TLS.SelfSigned = true },
			func(c *config.Config) { c.Auth.AllowInsecureAuth = true },
		} {
			other := cfg
			change(&other)
			if found := examineLogins(other); len(found) > 0 {
				t.Errorf("%s, change %d: %s", address, i, fmt.Sprint(found))
			}
		}
	}
}

// TestExamineKey: a private key that others may read is a warning, and the server starts.
func TestExamineKey(t *testing.T) {
	cfg := config.Default()
	if found := examineKey(cfg); len(found) > 0 {
		t.Errorf("without a key: %v", found)
	}
	cfg.TLS.Key = filepath.Join(t.TempDir(), "key.pem")
	for mode, warned := range map[os.FileMode]bool{0o600: false, 0o640: false, 0o644: true} {
		if err := os.WriteFile(cfg.TLS.Key, nil, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(cfg.TLS.Key, mode); err != nil {
			t.Fatal(err)
		}
		found := examineKey(cfg)
		if got := len(found) == 1 && strings.Contains(found[0].Text, "tls.key: "+cfg.TLS.Key+": others may read or write it (mode 0644): chmod 600"); got != warned {
			t.Errorf("mode %o: %v, want a warning: %v", mode, found, warned)
		}
	}
}
