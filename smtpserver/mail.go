package smtpserver

import (
	"strconv"
	"strings"
	"time"

	"popelago/delivery"
	"popelago/mail"
)

// transaction is a mail transaction (RFC 5321 section 3.3): what MAIL began, until it is done,
// refused, or forgotten by RSET or another hello.
type transaction struct {
	envelope mail.Envelope
	utf8     bool // MAIL had SMTPUTF8
	// incoming is the text, once BDAT has begun it.
	incoming *delivery.Incoming
}

// reset forgets the present transaction.
func (s *session) reset() {
	if s.tx != nil && s.tx.incoming != nil {
		s.tx.incoming.Discard()
	}
	s.tx = nil
	s.c.EndText()
}

func (s *session) cmdMAIL(arg string) {
	switch {
	case s.helo == "":
		s.reply(replySequence("say hello first"))
		return
	case s.tx != nil:
		s.reply(replySequence("nested MAIL"))
		return
	}
	rest, ok := cutPrefixFold(arg, "FROM:")
	if !ok {
		s.reply(replySyntax("syntax: MAIL FROM:<reverse-path>"))
		return
	}
	p, rest, err := parsePath(strings.TrimLeft(rest, " "))
	if err != nil || !p.null() && p.addr.Domain == "" {
		s.reply(replyBadSender())
		return
	}
	params, err := parseParams(rest)
	if err != nil {
		s.reply(replySyntax("syntax error in parameters"))
		return
	}
	tx := &transaction{}
	for _, param := range params {
		if r, ok := s.mailParam(tx, param); !ok {
			s.reply(r)
			return
		}
	}
	if !p.ascii && !tx.utf8 {
		s.reply(replyNotASCII())
		return
	}
	if !p.null() {
		tx.envelope.ReversePath = p.addr.PathString()
	}
	tx.envelope.SingleReply = s.srv.cfg.Protocol == SMTP
	tx.envelope.NormalizeLF = s.srv.cfg.NormalizeLF
	s.count++
	tx.envelope.Received = mail.Received{
		Helo: s.helo, Remote: s.c.Remote(), By: s.srv.cfg.Hostname,
		ID: s.c.ID() + "." + strconv.Itoa(s.count), With: s.with(tx.utf8), TLS: s.tlsText(),
		Time: time.Now(),
	}
	s.tx = tx
	s.reply(replySenderOK())
}

// mailParam takes one parameter of MAIL. If it cannot, it returns the reply that says so.
func (s *session) mailParam(tx *transaction, p param) (reply, bool) {
	switch p.key {
	case "SIZE": // RFC 1870 section 3
		if len(p.value) > 20 || strings.Trim(p.value, "0123456789") != "" || !p.hasValue {
			return replySyntax("syntax: SIZE=octets"), false
		}
		n, err := strconv.ParseInt(p.value, 10, 64)
		if err != nil || n > s.srv.deliverer.MaxMessageSize() {
			return replyTo(delivery.ErrTooLarge), false
		}
	case "BODY": // RFC 6152 section 3
		switch strings.ToUpper(p.value) {
		case "7BIT", "8BITMIME":
		case "BINARYMIME": // RFC 3030 section 3: not offered
			return replyParameter(), false
		default:
			return replySyntax("syntax: BODY=7BIT or BODY=8BITMIME"), false
		}
	case "SMTPUTF8": // RFC 6531 section 3.4
		if p.hasValue {
			return replySyntax("SMTPUTF8 has no value"), false
		}
		tx.utf8 = true
	default:
		return replyParameter(), false
	}
	return reply{}, true
}

// with is the protocol keyword of the Received line (RFC 3848, RFC 6531 section 4.3).
func (s *session) with(utf8 bool) string {
	w := "SMTP"
	switch {
	case s.srv.cfg.Protocol == LMTP:
		w = "LMTP"
	case s.extended && !utf8:
		w = "ESMTP"
	}
	if utf8 {
		w = "UTF8" + w
	}
	if s.c.TLS() != nil && (s.extended || utf8) {
		w += "S"
	}
	return w
}

// cutPrefixFold is strings.CutPrefix without regard to case.
func cutPrefixFold(s, prefix string) (string, bool) {
	if len(s) < len(prefix) || !strings.EqualFold(s[:len(prefix)], prefix) {
		return s, false
	}
	return s[len(prefix):], true
}

func (s *session) cmdRSET(arg string) {
	if arg != "" {
		s.reply(replySyntax("RSET has no argument"))
		return
	}
	s.reset()
	s.reply(replyOK("ok"))
}
