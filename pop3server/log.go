package pop3server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// log writes a log line, which begins with the protocol and the session id.
func (s *session) log(level slog.Level, text string, args ...any) {
	ctx := context.Background()
	if !s.srv.cfg.Logger.Enabled(ctx, level) {
		return
	}
	base := []any{"protocol", "pop3", "session", s.c.ID()}
	s.srv.cfg.Logger.Log(ctx, level, text, append(base, args...)...)
}

// logFault reports a command that failed, for the operator.
func (s *session) logFault(command string, cause error) {
	level := slog.LevelWarn
	if errors.Is(cause, store.ErrCorrupt) {
		level = slog.LevelError
	}
	user := ""
	if s.state != stateAuthorization {
		user = s.login.Address.String()
	}
	s.log(level, "command failed", "command", command, "user", user, "cause", cause)
}

// aheadPanicked counts and reports a panic of a read ahead. Safe for concurrent use.
func (s *session) aheadPanicked(p any) {
	s.srv.metrics.aheadPanics.Inc()
	s.log(slog.LevelError, "a read ahead panicked", "cause", fmt.Sprint(p), "stack", string(debug.Stack()))
}

// logLoginFailed reports a failed login. The remote address stands in front of the name: programs
// that ban addresses must not find an address that the client sent as a name.
func (s *session) logLoginFailed(command, user string, cause error) {
	if !account.MayShow(user, cause) {
		user = "(not shown)"
	}
	s.log(slog.LevelInfo, "login failed", "remote", s.c.Remote(), "reason", loginReason(cause),
		"user", mail.LogText(user), "command", command, "failures", s.failedLogins)
}

// logLogin reports a login and the content of the maildrop.
func (s *session) logLogin() {
	count, octets := s.drop.Stat()
	s.log(slog.LevelInfo, "login", "user", s.login.Address.String(),
		"remote", s.c.Remote(), "tls", s.c.TLS() != nil, "messages", count, "octets", octets)
}

// countReading counts a list that every datacenter was asked for, and reports a list of the local
// datacenter alone.
func (s *session) countReading() {
	if !s.login.Reading.Each() {
		return
	}
	level := mail.ReachedEach
	if s.drop.Fallback() {
		level = mail.ReachedFallback
		s.log(slog.LevelWarn, "the list of a maildrop was read in the local datacenter only: another datacenter cannot be reached",
			"user", s.login.Address.String())
	}
	s.srv.metrics.lists.WithLabelValues(level.String()).Inc()
}

// logEnd reports the end of a session without a login: at the level debug if no login failed, since any
// stranger and every check of a load balancer can begin such a session.
func (s *session) logEnd() {
	level := slog.LevelInfo
	if s.failedLogins == 0 {
		level = slog.LevelDebug
	}
	s.log(level, "session ended", "remote", s.c.RemoteText(), "tls", s.c.TLS() != nil, "ended", string(s.ended),
		"commands", s.commands, "failures", s.failedLogins, "seconds", time.Since(s.began).Seconds())
}

// logLogout reports the end of a session that was logged in.
func (s *session) logLogout() {
	args := []any{"user", s.login.Address.String(), "ended", string(s.ended),
		"retrieved", s.retrieved, "octets", s.octets, "removed", s.removed}
	if s.removed > 0 {
		args = append(args, "durability", s.reached.String())
	}
	args = append(args, "remote", s.c.RemoteText(), "tls", s.c.TLS() != nil, "commands", s.commands, "seconds", time.Since(s.began).Seconds())
	s.log(slog.LevelInfo, "logout", args...)
}
