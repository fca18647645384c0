package pop3server

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"popelago/account"
	"popelago/mail"
)

// cmdCAPA: RFC 2449 section 5.
func (s *session) cmdCAPA(ctx context.Context, _ []byte) {
	cfg := &s.srv.cfg
	s.reply(replyOK("capabilities follow"))
	s.c.WriteString("TOP\r\nUIDL\r\nRESP-CODES\r\nAUTH-RESP-CODE\r\nPIPELINING\r\n")
	s.c.WriteString("EXPIRE " + s.expire(ctx) + "\r\n")
	if cfg.LoginDelay > 0 {
		seconds := (cfg.LoginDelay + time.Second - 1) / time.Second
		s.c.WriteString("LOGIN-DELAY " + strconv.Itoa(int(seconds)) + "\r\n")
	}
	if s.mayLogIn() {
		s.c.WriteString("USER\r\nSASL PLAIN LOGIN\r\n")
	}
	// RFC 2595 section 4: announced in AUTHORIZATION state only.
	if s.state == stateAuthorization && cfg.TLS != nil && s.c.TLS() == nil {
		s.c.WriteString("STLS\r\n")
	}
	s.c.WriteString("UTF8 USER\r\nLANG\r\n")
	if cfg.Implementation != "" {
		s.c.WriteString("IMPLEMENTATION " + cfg.Implementation + "\r\n")
	}
	s.c.WriteString(".\r\n")
}

// expire is the argument of EXPIRE (RFC 2449 section 6.7): after login the retention of the
// account, before login the least retention, with USER because accounts differ. Where a retention after
// retrieval counts, too, expire returns the shorter of both: EXPIRE announces the least time of a message
// under any condition. Days are rounded
// down. If the least retention is unknown or cannot be read, expire returns zero days: a client that
// trusts a promise too high loses mail, and a client that trusts a promise too low asks again after
// login.
func (s *session) expire(ctx context.Context) string {
	if s.state != stateAuthorization {
		return expireDays(s.login.Retention.Shorter(s.login.AfterRetrieval))
	}
	least, err := s.srv.dir.LeastRetention(ctx)
	switch {
	case errors.Is(err, account.ErrRetentionsUnknown):
		return "0 USER"
	case err != nil:
		s.c.LogSummed(slog.LevelWarn, "CAPA announces no retention: the least retention cannot be read", err)
		return "0 USER"
	case !least.Ends():
		return "NEVER"
	}
	return expireDays(least) + " USER"
}

// expireDays returns a retention in whole days.
func expireDays(retention mail.Retention) string {
	if !retention.Ends() {
		return "NEVER"
	}
	return strconv.FormatInt(int64(time.Duration(retention)/(24*time.Hour)), 10)
}
