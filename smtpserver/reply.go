package smtpserver

import (
	"errors"
	"strconv"

	"popelago/account"
	"popelago/delivery"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
)

// reply is the reply to a command (RFC 5321 section 4.2). All texts are fixed.
type reply struct {
	code     int
	enhanced string // RFC 3463; empty for the greeting, the reply to a hello, and 354
	text     string
}

// The replies that belong to no error value.
func replyGreeting(hostname string, p Protocol) reply {
	if p == LMTP {
		return reply{code: 220, text: hostname + " LMTP Popelago"}
	}
	return reply{code: 220, text: hostname + " ESMTP Popelago"}
}
func replyHELO(hostname string) reply { return reply{code: 250, text: hostname} }
func replyOK(text string) reply       { return reply{250, "2.0.0", text} }
func replySenderOK() reply            { return reply{250, "2.1.0", "sender ok"} }
func replyRecipientOK() reply         { return reply{250, "2.1.5", "recipient ok"} }
func replyBye() reply                 { return reply{221, "2.0.0", "bye"} }
func replyGoAhead() reply             { return reply{354, "", "send the message, end with CRLF . CRLF"} }
func replyHelp() reply                { return reply{214, "2.0.0", "see RFC 5321"} }
func replyVerify() reply {
	return reply{252, "2.5.0", "cannot verify the address, but will accept a message and try to deliver"}
}
func replyStartTLS() reply    { return reply{220, "2.0.0", "start TLS"} }
func replyUnknown() reply     { return reply{500, "5.5.2", "command not recognized"} }
func replyLineTooLong() reply { return reply{500, "5.5.2", "line too long"} }
func replyBareLineEnd() reply {
	return reply{500, "5.5.2", "line ends in a bare LF, it must end in CRLF"}
}
func replyControl() reply               { return reply{500, "5.5.2", "control character in command"} }
func replySyntax(text string) reply     { return reply{501, "5.5.4", text} }
func replyBadSender() reply             { return reply{501, "5.1.7", "syntax error in reverse-path"} }
func replyBadRecipient() reply          { return reply{501, "5.1.3", "syntax error in forward-path"} }
func replyNotOffered(verb string) reply { return reply{502, "5.5.1", verb + " is not offered here"} }
func replySequence(text string) reply   { return reply{503, "5.5.1", text} }

// replyNoRecipients answers a text without recipients: RFC 5321 section 3.3 for SMTP, RFC 2033 section 4.2 for LMTP.
func replyNoRecipients(p Protocol) reply {
	if p == LMTP {
		return replySequence("no valid recipients")
	}
	return reply{554, "5.5.1", "no valid recipients"}
}

func replyParameter() reply {
	return reply{555, "5.5.4", "parameter not recognized or not implemented"}
}
func replyNotASCII() reply          { return reply{553, "5.6.7", "address needs SMTPUTF8"} }
func replyTooManyRecipients() reply { return reply{452, "4.5.3", "too many recipients"} }
func replyTooManyBad() reply        { return reply{421, "4.7.0", "too many bad commands"} }
func replyTooManyRefused() reply    { return reply{421, "4.7.0", "too many refused recipients"} }
func replyTooManyHarmless() reply {
	return reply{421, "4.7.0", "too many commands without a message"}
}
func replyHTTP() reply         { return reply{421, "4.7.0", "not an HTTP server"} }
func replyStopping() reply     { return reply{421, "4.3.2", "shutting down"} }
func replyEnded() reply        { return reply{421, "4.3.2", "session ended by the administrator"} }
func replyTimeout() reply      { return reply{421, "4.4.2", "timeout"} }
func replyTooManyConns() reply { return reply{421, "4.3.2", "too many connections"} }
func replyTooManyFromAddr() reply {
	return reply{421, "4.7.0", "too many connections from your address"}
}

// replyOutOfState is the reply to a command that the state of the session does not allow.
func replyOutOfState(verb string, current state) reply {
	switch {
	case verb == "MAIL" && current == stateConnected:
		return replySequence("say hello first")
	case verb == "MAIL":
		return replySequence("nested MAIL")
	case current == stateText: // RFC 3030 section 2
		return replySequence(verb + " after BDAT")
	}
	return replySequence("say MAIL first")
}

// replyStored is the reply to a message that is stored. The text names the durability reached, unless
// the domain asks for the local datacenter only.
func replyStored(id mail.MessageID, reached mail.Reached) reply {
	text := "ok " + id.String()
	switch reached {
	case mail.ReachedEach:
		text += ", stored in every datacenter"
	case mail.ReachedFallback:
		text += ", stored in the local datacenter only: another cannot be reached"
	}
	return replyOK(text)
}

// replyTo is the reply to a command that failed with err, an error of package delivery. An error that
// is not known to be permanent is temporary.
func replyTo(err error) reply {
	switch {
	case errors.Is(err, account.ErrNoSuchRecipient):
		return reply{550, "5.1.1", "no such recipient here"}
	case errors.Is(err, account.ErrDisabled):
		return reply{550, "5.2.1", "mailbox disabled"}
	case errors.Is(err, account.ErrMisdirected):
		return reply{451, "4.3.5", "the address leads nowhere at present, try again later"}
	case errors.Is(err, delivery.ErrNotHosted):
		return reply{550, "5.7.1", "relaying denied"}
	case errors.Is(err, quota.ErrRefused):
		return reply{552, "5.2.2", "mailbox full"}
	case errors.Is(err, quota.ErrOver):
		return reply{452, "4.2.2", "mailbox full, try again later"}
	case errors.Is(err, delivery.ErrTooLarge):
		return reply{552, "5.3.4", "message too large"}
	case errors.Is(err, delivery.ErrBareLineEnd):
		return reply{550, "5.6.0", "message contains a bare CR or bare LF"}
	case errors.Is(err, delivery.ErrLoop):
		return reply{554, "5.4.6", "mail loop: too many Received lines"}
	case errors.Is(err, delivery.ErrCrowded):
		return reply{452, "4.3.1", "no room for a large message at present, try again later"}
	case errors.Is(err, store.ErrFull):
		return reply{452, "4.3.1", "no space left"}
	}
	return reply{451, "4.3.0", "temporary fault, try again later"}
}

// replyToAll is the single reply of SMTP for all recipients of a message. ok is the reply if the
// message is stored for all recipients. A temporary error of one recipient makes the sender try all
// recipients again: RFC 5321 section 4.2.5 has no reply for a part of the recipients.
func replyToAll(errs []error, ok reply) reply {
	worst := ok
	for _, err := range errs {
		if err == nil {
			continue
		}
		r := replyTo(err)
		if r.temporary() && worst.temporary() && r != worst {
			r = replyTo(store.ErrUnavailable) // two kinds of errors: the general reply
		}
		if worst.code < 400 || r.temporary() {
			worst = r
		}
	}
	return worst
}

func (r reply) temporary() bool { return r.code >= 400 && r.code < 500 }

// bad reports whether r answers an unknown or malformed command; too many end the session. Bad
// sequences are not counted: a pipelining client gets 503 for each command behind a refused MAIL.
func (r reply) bad() bool { return r.code >= 500 && r.code <= 502 || r.code == 555 }

// named reports whether the session id belongs to the text: the sender may ask support for the cause.
func (r reply) named() bool { return r.code >= 400 && !r.bad() && r.code != 503 }

// append adds r as a line to b.
func (r reply) append(b []byte, session string) []byte {
	b = strconv.AppendInt(b, int64(r.code), 10)
	b = append(b, ' ')
	if r.enhanced != "" {
		b = append(b, r.enhanced...)
		b = append(b, ' ')
	}
	b = append(b, r.text...)
	if session != "" && r.named() {
		b = append(b, " (session "...)
		b = append(b, session...)
		b = append(b, ')')
	}
	return append(b, "\r\n"...)
}
