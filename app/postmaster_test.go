package app

import (
	"strings"
	"testing"

	"popelago/config"
	"popelago/mail"
)

// A server that accepts mail needs a reader of the mail for postmaster.
func TestExaminePostmaster(t *testing.T) {
	cfg := config.Default()
	cfg.POP3.Listen = []string{":110"}
	if f, ok := examinePostmaster(cfg); ok {
		t.Errorf("a server without mail: %+v", f)
	}
	for _, listen := range []func(*config.Config){
		func(c *config.Config) { c.SMTP.Listen = []string{":25"} }, func(c *config.Config) { c.LMTP.Listen = []string{":24"} },
	} {
		c := cfg
		listen(&c)
		f, ok := examinePostmaster(c)
		if !ok || f.Level != FindingWarning || !strings.Contains(f.Text, "delivery.postmaster is not set") || !strings.Contains(f.Text, "RFC 5321 section 4.5.1") {
			t.Errorf("a server with mail: %+v, %v", f, ok)
		}
		c.Delivery.Postmaster = mail.Address{Local: "admin", Domain: "example.org"}
		if f, ok := examinePostmaster(c); ok {
			t.Errorf("with a postmaster: %+v", f)
		}
	}
}
