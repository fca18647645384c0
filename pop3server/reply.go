package pop3server

import (
	"errors"
	"strconv"

	"popelago/account"
	"popelago/maildrop"
	"popelago/store"
	"popelago/wire"
)

// Response codes of RFC 2449 section 8 and RFC 3206.
const (
	codeAuth       = "[AUTH] "
	codeTemp       = "[SYS/TEMP] "
	codePerm       = "[SYS/PERM] "
	codeLoginDelay = "[LOGIN-DELAY] "
	codeInUse      = "[IN-USE] "
)

// The texts of -ERR responses.
const (
	textUnknown         = "unknown command"
	textSyntax          = "bad arguments"
	textTooLong         = "line too long"
	textNotYet          = "log in first"
	textNotNow          = "not after login"
	textNoUser          = "USER first"
	textNoTLS           = "TLS is not available"
	textTLSTwice        = "TLS is already active"
	textNeedTLS         = "login needs an encrypted connection: use TLS (STLS or the POP3S port)"
	textNoMechanism     = "unknown authentication mechanism"
	textCancelled       = "authentication cancelled"
	textBase64          = "bad base64"
	textLogin           = "login failed"
	textDisabled        = "account disabled"
	textLoginDelay      = "minimum time between logins has not passed"
	textNoMessage       = "no such message"
	textMarked          = "message is marked as deleted"
	textRemoved         = "message was removed by another session"
	textTemp            = "temporary fault, try again later"
	textPerm            = "message is damaged"
	textAccountPerm     = "account is damaged"
	textNotRemoved      = "some deleted messages not removed"
	textStopping        = "server is shutting down"
	textTooManyConns    = "too many connections, try again later"
	textInUse           = "too many sessions of this account, close some and try again"
	textHeldBack        = "too many failed logins from your network, try again later"
	textBusy            = "too many logins at once, try again later"
	textTooManyBad      = "too many bad commands"
	textTooManyHarmless = "too many commands without a login"
	textTooManyFails    = "too many failed logins"
	textNoLanguage      = "unknown language"
)

// ok writes a positive response. text may be empty.
func (s *session) ok(text string) {
	s.c.WriteString("+OK")
	if text != "" {
		s.c.WriteString(" ")
		s.c.WriteString(text)
	}
	s.c.WriteString("\r\n")
}

// okNumbers writes a positive response that begins with one number, or with two if b is not
// negative, and goes on with text.
func (s *session) okNumbers(a, b int64, text string) {
	out := append(s.buf[:0], "+OK "...)
	out = strconv.AppendInt(out, a, 10)
	if b >= 0 {
		out = append(out, ' ')
		out = strconv.AppendInt(out, b, 10)
	}
	out = append(out, text...)
	out = append(out, "\r\n"...)
	s.c.Write(out)
}

// okCounts writes a positive response that tells what is in the maildrop.
func (s *session) okCounts() {
	count, octets := s.drop.Stat()
	out := append(s.buf[:0], "+OK "...)
	out = strconv.AppendInt(out, int64(count), 10)
	out = append(out, " messages ("...)
	out = strconv.AppendInt(out, octets, 10)
	out = append(out, " octets)\r\n"...)
	s.c.Write(out)
}

// err writes a negative response. code is empty or one of the response codes.
func (s *session) err(code, text string) {
	s.srv.metrics.errors[code].Inc()
	s.c.WriteString("-ERR ")
	s.c.WriteString(code)
	s.c.WriteString(text)
	s.c.WriteString("\r\n")
}

// bad answers a command that is unknown, malformed or out of place, and ends the session
// after too many of them.
func (s *session) bad(text string) {
	s.badCommands++
	if s.badCommands > s.srv.cfg.MaxBadCommands {
		s.err("", textTooManyBad)
		s.c.Linger()
		s.end = outcomeBadCommands
		return
	}
	s.err("", text)
}

// fail answers a command that failed with err, and logs it where an operator may have to do
// something.
func (s *session) fail(command string, err error) {
	switch {
	case errors.Is(err, maildrop.ErrNoSuchMessage):
		s.err("", textNoMessage)
	case errors.Is(err, maildrop.ErrMarked):
		s.err("", textMarked)
	case errors.Is(err, maildrop.ErrRemoved):
		s.err("", textRemoved)
	case errors.Is(err, account.ErrBadCredentials):
		s.err(codeAuth, textLogin)
	case errors.Is(err, account.ErrDisabled):
		s.err(codeAuth, textDisabled)
	case errors.Is(err, account.ErrTooManyFailures):
		s.err(codeTemp, textHeldBack)
	case errors.Is(err, account.ErrBusy):
		s.err(codeTemp, textBusy)
	case errors.Is(err, store.ErrCorrupt):
		s.log(command, err)
		text := textPerm
		if s.state == stateAuthorization {
			text = textAccountPerm
		}
		s.err(codePerm, s.withID(text))
	default:
		// Unavailable, timed out, outcome unknown, and whatever else there may be.
		s.log(command, err)
		s.err(codeTemp, s.withID(textTemp))
	}
}

// withID adds what support can find the cause by.
func (s *session) withID(text string) string { return text + " (session " + s.c.ID() + ")" }

// log tells the operator why a command failed.
func (s *session) log(command string, cause error) {
	level := s.srv.cfg.Logger.Warn
	if errors.Is(cause, store.ErrCorrupt) {
		level = s.srv.cfg.Logger.Error
	}
	level("command failed", "protocol", "pop3", "session", s.c.ID(), "command", command,
		"user", s.userName(), "cause", cause)
}

// userName is who is logged in, or nobody.
func (s *session) userName() string {
	if s.state == stateAuthorization {
		return ""
	}
	return s.login.Address.String()
}

// clientGone reports whether err is about the connection, not about the store.
func clientGone(err error) bool {
	return wire.IsDisconnect(err) || errors.Is(err, wire.ErrTimeout)
}
