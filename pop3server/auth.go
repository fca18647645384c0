package pop3server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"popelago/account"
	"popelago/maildrop"
	"popelago/span"
	"popelago/wire"
)

// mayLogIn reports whether the client may send a password on the connection as it is now.
func (s *session) mayLogIn() bool { return s.srv.MayLogIn(s.c.TLS() != nil, s.c.Local()) }

// cmdUSER: RFC 1939 section 7. USER accepts any name, so that the response discloses no account.
func (s *session) cmdUSER(_ context.Context, arg []byte) {
	s.user = ""
	switch {
	case !s.mayLogIn():
		s.reply(replyNeedTLS())
	case blank(arg):
		s.reply(replySyntax())
	default:
		s.user = string(trim(arg))
		s.reply(replyOK("send PASS"))
	}
}

// cmdPASS: RFC 1939 section 7. The whole argument is the password, spaces included.
func (s *session) cmdPASS(ctx context.Context, arg []byte) {
	user := s.user
	s.user = ""
	switch {
	case !s.mayLogIn():
		s.reply(replyNeedTLS())
	case user == "":
		s.reply(replyNoUser())
	default:
		s.logIn(ctx, "PASS", user, string(arg))
	}
}

// logIn checks a password and opens the maildrop.
func (s *session) logIn(ctx context.Context, command, user, password string) {
	ctx, work := span.Start(ctx, "login")
	defer func() { s.endLogin(work) }()
	login, err := s.srv.dir.SignIn(ctx, account.LoginRequest{
		Name: user, Password: password, Remote: s.c.Remote(), Waits: s.c.Watch,
	})
	switch {
	case err == nil:
	case errors.Is(err, wire.ErrGone):
		s.ended = outcomeDisconnected
		return
	case loginReason(err) != "":
		s.loginFailed(ctx, command, user, err)
		return
	default:
		s.loginFault(command, err)
		return
	}
	if !s.srv.logins.allow(login.Mailbox) {
		s.reply(replyLoginDelay())
		return
	}
	if !s.srv.open.begin(login.Mailbox) {
		s.srv.logins.forget(login.Mailbox)
		s.log(slog.LevelWarn, "login refused: the account has too many sessions",
			"remote", s.c.Remote(), "user", login.Address.String(), "sessions", s.srv.cfg.MaxSessionsPerAccount)
		s.reply(replyInUse())
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
		Durability: login.Durability, Reading: login.Reading, Retention: login.Retention, Lists: s.srv.lists, Now: s.srv.cfg.Now,
		ReadAhead: s.srv.cfg.ReadAhead, Panicked: s.aheadPanicked,
	})
	if err != nil {
		s.srv.logins.forget(login.Mailbox)
		s.fail(command, err)
		return
	}
	if err := s.reportLogin(ctx, login, drop); err != nil {
		drop.Close()
		s.srv.logins.forget(login.Mailbox)
		s.fail(command, err)
		return
	}
	s.login, s.drop, s.state = login, drop, stateTransaction
	s.account = login.Address.String()
	s.c.Known()
	if loggedIn := s.srv.cfg.LoggedIn; loggedIn != nil {
		loggedIn(login)
	}
	s.logLogin()
	s.countReading()
	s.replyCounts()
}

// endLogin ends the span of a login.
func (s *session) endLogin(work span.Span) {
	if s.drop == nil {
		work.Text("result", "refused")
	} else {
		work.Text("result", "ok")
		work.Int("messages", int64(s.drop.Len()))
	}
	work.End(nil)
}

// errOtherIdentity is the failure of a login that asks for the rights of another user.
var errOtherIdentity = fmt.Errorf("%w: another authorization identity", account.ErrBadCredentials)

// loginReason is the class of a failed login for the log; empty for an error that says nothing about
// the name and the password.
func loginReason(err error) string {
	if errors.Is(err, errOtherIdentity) {
		return "other_identity"
	}
	return account.LoginReason(err)
}

// loginFault answers a login that failed by a fault of the server. The login counts toward no penalty, but beyond
// Config.MaxHarmlessCommands such logins the session ends, as with harmless commands: each asks the store.
func (s *session) loginFault(command string, cause error) {
	if s.loginFaults++; s.loginFaults <= s.srv.cfg.MaxHarmlessCommands {
		s.fail(command, cause)
		return
	}
	s.logFault(command, cause)
	s.end(outcomeBadCommands, replyTo(cause, s.state))
}

// loginFailed answers a login that failed. The delay grows with each failure.
func (s *session) loginFailed(ctx context.Context, command, user string, cause error) {
	s.failedLogins++
	s.logLoginFailed(command, user, cause)
	s.reportLoginFailed(user, cause)
	if delay := s.srv.cfg.FailureDelay; delay > 0 {
		s.c.Flush()
		watched, stop := s.c.Watch(ctx)
		sleep(watched, delay<<min(s.failedLogins-1, 4))
		stop()
	}
	if s.failedLogins >= s.srv.cfg.MaxFailedLogins {
		s.end(outcomeFailedLogins, replyTooManyFails())
		return
	}
	s.fail(command, cause)
}
