package pop3server

import (
	"errors"
	"strconv"

	"popelago/account"
	"popelago/mail"
	"popelago/maildrop"
	"popelago/store"
)

// Response codes of RFC 2449 section 8 and RFC 3206.
const (
	codeAuth       = "[AUTH] "
	codeTemp       = "[SYS/TEMP] "
	codePerm       = "[SYS/PERM] "
	codeLoginDelay = "[LOGIN-DELAY] "
	codeInUse      = "[IN-USE] "
)

// reply is the response to a command (RFC 1939 section 3), or its first line. All texts are fixed.
type reply struct {
	ok    bool
	code  string // of a negative response: a response code, or empty
	text  string
	bad   bool // the command is unknown, malformed or out of place; too many end the session
	named bool // the session id belongs to the text: the user may ask support for the cause
}

// replyOK is a positive response. text may be empty.
func replyOK(text string) reply { return reply{ok: true, text: text} }

// The responses to bad commands.
func replyBad(text string) reply { return reply{text: text, bad: true} }
func replyUnknown() reply        { return replyBad("unknown command") }
func replySyntax() reply         { return replyBad("bad arguments") }
func replyTooLong() reply        { return replyBad("line too long") }
func replyNoUser() reply         { return replyBad("USER first") }
func replyNoTLS() reply          { return replyBad("TLS is not available") }
func replyTLSActive() reply      { return replyBad("TLS is already active") }
func replyNoMechanism() reply    { return replyBad("unknown authentication mechanism") }
func replyCancelled() reply      { return replyBad("authentication cancelled") }
func replyBase64() reply         { return replyBad("bad base64") }
func replyNeedTLS() reply {
	return reply{code: codeAuth, text: "login needs an encrypted connection: use TLS (STLS or the POP3S port)", bad: true}
}

// replyOutOfState is the response to a command that the state of the session does not allow.
func replyOutOfState(current state) reply {
	if current == stateAuthorization {
		return replyBad("log in first")
	}
	return replyBad("not after login")
}

// The last responses of sessions that end early.
func replyTooManyBad() reply      { return reply{text: "too many bad commands"} }
func replyTooManyHarmless() reply { return reply{text: "too many commands without a login"} }
func replyTooManyFails() reply    { return reply{code: codeAuth, text: "too many failed logins"} }
func replyStopping() reply        { return reply{code: codeTemp, text: "server is shutting down"} }
func replyEnded() reply           { return reply{code: codeTemp, text: "session ended by the administrator"} }
func replyTooManyConns() reply {
	return reply{code: codeTemp, text: "too many connections, try again later"}
}

// Further negative responses.
func replyNoLanguage() reply { return reply{text: "unknown language"} }
func replyLoginDelay() reply {
	return reply{code: codeLoginDelay, text: "minimum time between logins has not passed"}
}
func replyInUse() reply {
	return reply{code: codeInUse, text: "too many sessions of this account, close some and try again"}
}
func replyNotRemoved() reply {
	return reply{code: codeTemp, text: "some deleted messages not removed", named: true}
}

// replyBye is the response to a successful QUIT. The text says if the removal reached less than
// the domain asks for.
func replyBye(reached mail.Reached) reply {
	if reached == mail.ReachedFallback {
		return replyOK("bye, removed in the local datacenter only: another cannot be reached")
	}
	return replyOK("bye")
}

// replyTo is the response to a command that failed with err. A named response belongs to a fault
// of the server, which the operator should know.
func replyTo(err error, current state) reply {
	switch {
	case errors.Is(err, maildrop.ErrNoSuchMessage):
		return reply{text: "no such message"}
	case errors.Is(err, maildrop.ErrMarked):
		return reply{text: "message is marked as deleted"}
	case errors.Is(err, maildrop.ErrRemoved):
		return reply{text: "message was removed by another session"}
	case errors.Is(err, account.ErrBadCredentials):
		return reply{code: codeAuth, text: "login failed"}
	case errors.Is(err, account.ErrDisabled):
		return reply{code: codeAuth, text: "account disabled"}
	case errors.Is(err, account.ErrTooManyFailures):
		return reply{code: codeTemp, text: "too many failed logins from your network, try again later"}
	case errors.Is(err, account.ErrBusy):
		return reply{code: codeTemp, text: "too many logins at once, try again later"}
	case errors.Is(err, store.ErrCorrupt) && current == stateAuthorization:
		return reply{code: codePerm, text: "account is damaged", named: true}
	case errors.Is(err, store.ErrCorrupt):
		return reply{code: codePerm, text: "message is damaged", named: true}
	}
	// Unavailable, timed out, outcome unknown, and errors that nobody foresaw.
	return reply{code: codeTemp, text: "temporary fault, try again later", named: true}
}

// append adds r as a line to b.
func (r reply) append(b []byte, session string) []byte {
	if r.ok {
		b = append(b, "+OK"...)
		if r.text != "" {
			b = append(b, ' ')
		}
	} else {
		b = append(b, "-ERR "...)
		b = append(b, r.code...)
	}
	b = append(b, r.text...)
	if r.named {
		b = append(b, " (session "...)
		b = append(b, session...)
		b = append(b, ')')
	}
	return append(b, "\r\n"...)
}

// replyNumbers writes a positive response: the number a, the number b unless b is negative, and
// text.
func (s *session) replyNumbers(a, b int64, text string) {
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

// replyCounts writes a positive response with the counts of messages and octets in the maildrop.
func (s *session) replyCounts() {
	count, octets := s.drop.Stat()
	out := append(s.buf[:0], "+OK "...)
	out = strconv.AppendInt(out, int64(count), 10)
	out = append(out, " messages ("...)
	out = strconv.AppendInt(out, octets, 10)
	out = append(out, " octets)\r\n"...)
	s.c.Write(out)
}

// fail answers a command that failed with err, and logs a fault of the server.
func (s *session) fail(command string, err error) {
	r := replyTo(err, s.state)
	if r.named {
		s.logFault(command, err)
	}
	s.reply(r)
}
