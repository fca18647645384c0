package pop3server

import (
	"context"
	"errors"
	"time"

	"popelago/account"
	"popelago/maildrop"
)

// mayLogIn reports whether a password may be sent on this connection as it is now (RFC 8314
// section 4.1).
func (s *session) mayLogIn() bool {
	return s.c.TLS() != nil || s.srv.cfg.AllowInsecureAuth || s.c.Local()
}

// cmdUSER: RFC 1939 section 7. Any name is fine, so that nobody learns which ones exist.
func (s *session) cmdUSER(rest []byte) {
	s.user = ""
	switch {
	case !s.mayLogIn():
		s.refuseClearText()
	case blank(rest):
		s.bad(textSyntax)
	default:
		s.user = string(trim(rest))
		s.ok("send PASS")
	}
}

// cmdPASS: RFC 1939 section 7. The rest of the line is the password, spaces included.
func (s *session) cmdPASS(ctx context.Context, rest []byte) {
	user := s.user
	s.user = ""
	switch {
	case !s.mayLogIn():
		s.refuseClearText()
	case user == "":
		s.bad(textNoUser)
	default:
		s.logIn(ctx, "PASS", user, string(rest))
	}
}

// refuseClearText answers a login without TLS where that is not allowed.
func (s *session) refuseClearText() {
	s.badCommands++
	if s.badCommands > s.srv.cfg.MaxBadCommands {
		s.bad(textTooManyBad)
		return
	}
	s.err(codeAuth, textNeedTLS)
}

// logIn checks a password and opens the maildrop.
func (s *session) logIn(ctx context.Context, command, user, password string) {
	login, err := s.srv.dir.Authenticate(ctx, user, password)
	if errors.Is(err, account.ErrBadCredentials) || errors.Is(err, account.ErrDisabled) {
		s.loginFailed(ctx, command, err)
		return
	}
	if err != nil {
		s.fail(command, err)
		return
	}
	if !s.srv.logins.allow(login.Mailbox) {
		s.err(codeLoginDelay, textLoginDelay)
		return
	}
	opening, cancel := context.WithTimeout(ctx, s.srv.cfg.OpenTimeout)
	defer cancel()
	drop, err := maildrop.Open(opening, s.srv.store, login.Mailbox, maildrop.Options{
		Durability: login.Durability, Retention: login.Retention, Now: s.srv.cfg.Now,
	})
	if err != nil {
		s.srv.logins.forget(login.Mailbox)
		s.fail(command, err)
		return
	}
	s.login, s.drop, s.state = login, drop, stateTransaction
	s.c.Known()
	count, octets := drop.Stat()
	s.srv.cfg.Logger.Info("login", "protocol", "pop3", "session", s.c.ID(), "user", login.Address.String(),
		"remote", s.c.Remote(), "tls", s.c.TLS() != nil, "messages", count, "octets", octets)
	s.okCounts()
}

// loginFailed answers wrong credentials, later each time.
func (s *session) loginFailed(ctx context.Context, command string, cause error) {
	s.failedLogins++
	s.srv.cfg.Logger.Info("login failed", "protocol", "pop3", "session", s.c.ID(), "command", command,
		"remote", s.c.Remote(), "failures", s.failedLogins, "cause", cause)
	if delay := s.srv.cfg.FailureDelay; delay > 0 {
		s.c.Flush()
		wait := time.NewTimer(delay << min(s.failedLogins-1, 4))
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-ctx.Done():
		}
	}
	if s.failedLogins >= s.srv.cfg.MaxFailedLogins {
		s.err(codeAuth, textTooManyFails)
		s.c.Linger()
		s.end = outcomeFailedLogins
		return
	}
	s.fail(command, cause)
}
