package config

import (
	"fmt"
	"strconv"
	"strings"

	"popelago/account"
	"popelago/mail"
)

// Validate checks whether a server can start with c: each setting alone, because callers may have set
// fields directly, all settings together, and for an address to listen on. The error is an *Error.
func (c *Config) Validate() error {
	var problems []Problem
	for _, s := range settings(c) {
		if err := recheck(s.value); err != nil {
			problems = append(problems, c.problem(s.key, err.Error()))
		}
	}
	if len(c.POP3.Listen)+len(c.POP3S.Listen)+len(c.SMTP.Listen)+len(c.LMTP.Listen) == 0 {
		problems = append(problems, c.problem("",
			`nothing to listen on: set pop3.listen, pop3s.listen, smtp.listen or lmtp.listen, for instance pop3.listen = ":110"`))
	}
	return c.check(problems)
}

// recheck checks a value without changing it.
func recheck(v value) error {
	switch v := v.(type) {
	case *word:
		return v.check(*v.p)
	case addresses:
		return v.recheck()
	case *list:
		return v.checkAll(*v.p)
	case policyValue:
		return v.s.Check(&account.Policy{}, v.s.Show(*v.p))
	case networks:
		return v.recheck()
	case *counts:
		return v.checkAll(*v.p)
	case *number[int]:
		return v.set(int64(v.get()))
	case interface{ literal() string }:
		s := v.literal()
		if inner, err := strconv.Unquote(s); err == nil {
			s = inner
		}
		return v.(value).parse(s)
	}
	return nil
}

// check adds the problems of settings together to problems, and returns an error with all of them.
// check skips settings that have a problem already.
func (c *Config) check(problems []Problem) error {
	bad := map[string]bool{}
	for _, p := range problems {
		bad[p.Key] = true
	}
	// fail reports a problem at key, unless key or a setting in depends has a problem already.
	fail := func(key, text string, depends ...string) {
		for _, k := range append(depends, key) {
			if bad[k] {
				return
			}
		}
		problems = append(problems, c.problem(key, text))
	}

	c.checkListeners(fail)
	c.checkPeers(fail)
	c.checkEngine(fail)
	c.checkEvents(fail)
	if c.Trace.Required && !c.Trace.Audit.Enabled {
		fail("audit.required", "needs audit.enabled = true", "audit.enabled")
	}
	switch {
	case c.TLS.SelfSigned && c.TLS.Certificate != "":
		fail("tls.self_signed", "is true although there is a tls.certificate: set one of them", "tls.certificate")
	case c.TLS.Certificate != "" && c.TLS.Key == "":
		fail("tls.certificate", "needs its private key: set tls.key", "tls.key")
	case c.TLS.Key != "" && c.TLS.Certificate == "":
		fail("tls.key", "needs its certificate: set tls.certificate", "tls.certificate")
	}
	if len(c.POP3S.Listen) > 0 && !c.TLS.on() {
		fail("pop3s.listen", "needs a certificate: set tls.certificate and tls.key, or tls.self_signed = true",
			"tls.certificate", "tls.key", "tls.self_signed")
	}
	if c.Admin.Console && len(c.Admin.Listen) == 0 {
		fail("admin.console", "needs an address: set admin.listen", "admin.listen")
	}
	if least, got := 8*kib*int64(c.Auth.Argon2Threads), kib*int64(c.Auth.Argon2Memory); got < least {
		fail("auth.argon2_memory", fmt.Sprintf("%s is too small: at least %s with %d threads (RFC 9106 section 3.1)",
			mail.FormatOctets(got), mail.FormatOctets(least), c.Auth.Argon2Threads), "auth.argon2_threads")
	}
	if err := c.Auth.Policy.Check(); err != nil {
		fail("policy."+account.SettingRetentionMin, err.Error(), "policy."+account.SettingRetentionMax)
	}
	if socket := c.AdminSocket(); len(socket) > maxSocketPath {
		fail("admin.socket", fmt.Sprintf("%q has %d octets, more than the %d that the path of a unix socket may have: set a shorter admin.socket, or data_dir",
			socket, len(socket), maxSocketPath), "data_dir")
	}
	return errorOf(problems)
}

// problem returns a Problem at the origin of a setting, or at the file as a whole.
func (c *Config) problem(key, text string) Problem {
	p := Problem{Where: c.origins[key], Key: key, Text: text}
	if colon := strings.LastIndexByte(p.Where, ':'); colon >= 0 {
		p.file = p.Where[:colon]
		p.line, _ = strconv.Atoi(p.Where[colon+1:])
	}
	if p.Where == "" {
		p.Where, p.file = c.file, c.file
	}
	return p
}
