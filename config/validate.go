package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Validate checks whether a server can be started with c: each setting for itself, since they
// may have been put in one by one, all together, and that there is something to listen on.
// The error is an *Error.
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

// recheck hands a value to its own check. It is kept as it is.
func recheck(v value) error {
	switch v := v.(type) {
	case *word:
		return v.check(*v.p)
	case addresses:
		return v.recheck()
	case *list:
		return v.checkAll(*v.p)
	case *counts:
		return v.checkAll(*v.p)
	case *number[int]:
		return v.set(int64(*v.p))
	case interface{ literal() string }:
		s := v.literal()
		if inner, err := strconv.Unquote(s); err == nil {
			s = inner
		}
		return v.(value).parse(s)
	}
	return nil
}

// check adds to problems what is wrong with settings together, and makes an error of it all.
// Settings that have a problem of their own are left alone.
func (c *Config) check(problems []Problem) error {
	bad := map[string]bool{}
	for _, p := range problems {
		bad[p.Key] = true
	}
	// fail reports a problem at key, unless one of the settings it depends on is wrong.
	fail := func(key, text string, depends ...string) {
		for _, k := range append(depends, key) {
			if bad[k] {
				return
			}
		}
		problems = append(problems, c.problem(key, text))
	}

	c.checkListeners(fail)
	c.checkEngine(fail)
	switch {
	case c.TLS.SelfSigned && c.TLS.Certificate != "":
		fail("tls.self_signed", "is true although there is a tls.certificate: set one of them", "tls.certificate")
	case c.TLS.Certificate != "" && c.TLS.Key == "":
		fail("tls.certificate", "needs its private key: set tls.key", "tls.key")
	case c.TLS.Key != "" && c.TLS.Certificate == "":
		fail("tls.key", "needs its certificate: set tls.certificate", "tls.certificate")
	}
	if len(c.POP3S.Listen) > 0 && !c.TLS.On() {
		fail("pop3s.listen", "needs a certificate: set tls.certificate and tls.key, or tls.self_signed = true",
			"tls.certificate", "tls.key", "tls.self_signed")
	}
	if len(c.Admin.Listen) > 0 && c.Admin.TokenFile == "" {
		fail("admin.listen", "needs a secret: set admin.token_file", "admin.token_file")
	}
	if c.Auth.Argon2Memory%kib != 0 {
		fail("auth.argon2_memory", fmt.Sprintf("%s is not in whole KiB", showSize(c.Auth.Argon2Memory)))
	}
	if least := 8 * kib * int64(c.Auth.Argon2Threads); c.Auth.Argon2Memory < least {
		fail("auth.argon2_memory", fmt.Sprintf("%s is too small: at least %s with %d threads (RFC 9106 section 3.1)",
			showSize(c.Auth.Argon2Memory), showSize(least), c.Auth.Argon2Threads), "auth.argon2_threads")
	}
	if socket := c.AdminSocket(); len(socket) > maxSocketPath {
		fail("admin.socket", fmt.Sprintf("%q has %d octets, more than the %d that the path of a unix socket may have: set a shorter admin.socket, or data_dir",
			socket, len(socket), maxSocketPath), "data_dir")
	}
	return errorOf(problems)
}

// problem makes a Problem at the place a setting came from, or at the file as a whole.
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
