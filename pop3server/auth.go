package pop3server

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/wire"
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
	login, err := s.srv.dir.SignIn(ctx, account.Attempt{
		Name: user, Password: password, Remote: s.c.Remote(), Waits: s.c.Watch,
	})
	switch {
	case err == nil:
	case errors.Is(err, wire.ErrGone):
		s.end = outcomeDisconnected
		return
	case loginReason(err) != "":
		s.loginFailed(ctx, command, user, err)
		return
	default:
		s.fail(command, err)
		return
	}
	if !s.srv.logins.allow(login.Mailbox) {
		s.err(codeLoginDelay, textLoginDelay)
		return
	}
	if !s.srv.open.begin(login.Mailbox) {
		s.srv.logins.forget(login.Mailbox)
		s.srv.cfg.Logger.Warn("login refused: the account has too many sessions", "protocol", "pop3", "session", s.c.ID(),
			"remote", s.c.Remote(), "user", login.Address.String(), "sessions", s.srv.cfg.MaxSessionsPerAccount)
		s.err(codeInUse, textInUse)
		return
	}
	defer func() {
		if s.drop == nil { // also after a panic
			s.srv.open.end(login.Mailbox)
		}
	}()
	opening, cancel := context.WithTimeout(ctx, s.srv.cfg.OpenTimeout)
	defer cancel()
	drop, err := maildrop.Open(opening, s.srv.mail, login.Mailbox, maildrop.Options{
		Durability: login.Durability, Retention: login.Retention, Lists: s.srv.lists, Now: s.srv.cfg.Now,
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

// errOtherIdentity is the failure of a login that asks for the rights of another user.
var errOtherIdentity = fmt.Errorf("%w: another authorization identity", account.ErrBadCredentials)

// loginReason is the class of a failed login for the log; empty for what says nothing about
// the login.
func loginReason(err error) string {
	switch {
	case errors.Is(err, errOtherIdentity):
		return "other_identity"
	case errors.Is(err, account.ErrNoSuchAccount):
		return "unknown_user"
	case errors.Is(err, account.ErrBadCredentials):
		return "wrong_password"
	case errors.Is(err, account.ErrDisabled):
		return "disabled"
	case errors.Is(err, account.ErrTooManyFailures):
		return "held_back"
	}
	return ""
}

// loginFailed answers a login that failed, later each time. The remote address stands in
// front of the name in the log line: programs that ban addresses must not find an address that
// the client sent as a name.
func (s *session) loginFailed(ctx context.Context, command, user string, cause error) {
	s.failedLogins++
	s.srv.cfg.Logger.Info("login failed", "protocol", "pop3", "session", s.c.ID(), "remote", s.c.Remote(),
		"reason", loginReason(cause), "user", mail.LogText(user), "command", command, "failures", s.failedLogins)
	if delay := s.srv.cfg.FailureDelay; delay > 0 {
		s.c.Flush()
		watched, stop := s.c.Watch(ctx)
		wait := time.NewTimer(delay << min(s.failedLogins-1, 4))
		select {
		case <-wait.C:
		case <-watched.Done():
		}
		wait.Stop()
		stop()
	}
	if s.failedLogins >= s.srv.cfg.MaxFailedLogins {
		s.err(codeAuth, textTooManyFails)
		s.c.Linger()
		s.end = outcomeFailedLogins
		return
	}
	s.fail(command, cause)
}
