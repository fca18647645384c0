package smtpserver

import (
	"context"
	"crypto/tls"
	"strconv"
	"strings"
	"time"

	"popelago/delivery"
	"popelago/mail"
)

// transaction is a mail transaction (RFC 5321 section 3.3). MAIL begins a transaction; a text, RSET or
// another hello ends the transaction.
type transaction struct {
	envelope mail.Envelope
	utf8     bool  // MAIL had SMTPUTF8
	size     int64 // of the text, as MAIL declared; zero: MAIL had no SIZE
	accepted delivery.Accepted
	fewest   int // the least limit of recipients, of the server and of the accepted recipients
	// incoming is the text, from the first chunk of BDAT on.
	incoming *delivery.Incoming
}

// reset ends the present transaction.
func (s *session) reset() {
	if s.tx != nil && s.tx.incoming != nil {
		s.tx.incoming.Discard()
	}
	if s.tx != nil {
		s.srv.openRecipients.Add(-int64(len(s.tx.envelope.Recipients)))
	}
	s.tx = nil
	s.c.EndText()
}

func (s *session) cmdMAIL(_ context.Context, arg string) {
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
	tx := &transaction{fewest: s.srv.cfg.MaxRecipients}
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
	s.transactions++
	tx.envelope.Received = mail.Received{
		Helo: s.helo, Remote: s.c.Remote(), By: s.srv.cfg.Hostname,
		ID: s.c.ID() + "." + strconv.Itoa(s.transactions), With: s.protocolKeyword(tx.utf8), TLS: s.tlsText(),
		Time: time.Now(),
	}
	s.tx = tx
	s.reply(replySenderOK())
}

// mailParam applies a parameter of MAIL to tx. ok is false if the reply refuses the parameter.
func (s *session) mailParam(tx *transaction, p param) (refusal reply, ok bool) {
	switch p.key {
	case "SIZE": // RFC 1870 section 3
		if len(p.value) > 20 || strings.Trim(p.value, "0123456789") != "" || !p.hasValue {
			return replySyntax("syntax: SIZE=octets"), false
		}
		n, err := strconv.ParseInt(p.value, 10, 64)
		if err != nil || n > s.srv.deliverer.MaxMessageSize() {
			return replyTo(delivery.ErrTooLarge), false
		}
		tx.size = n
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

// protocolKeyword is the protocol keyword of the Received line (RFC 3848, RFC 6531 section 4.3).
func (s *session) protocolKeyword(utf8 bool) string {
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

func (s *session) cmdRSET(context.Context, string) {
	s.reset()
	s.reply(replyOK("ok"))
}

// tlsText describes TLS for the Received line; empty without TLS.
func (s *session) tlsText() string {
	t := s.c.TLS()
	if t == nil {
		return ""
	}
	return tls.VersionName(t.Version) + " " + tls.CipherSuiteName(t.CipherSuite)
}
