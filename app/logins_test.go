package app

import (
	"fmt"
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
