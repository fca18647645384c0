package smtpserver

import (
	"strings"

	"popelago/mail"
)

// maxHelo is how much of the argument of a hello is kept.
const maxHelo = 255

// cmdHello answers HELO, EHLO and LHLO, each of which belongs to one protocol (RFC 2033
// section 4.1). The argument is believed by nobody, so it is only asked to be there; it stands
// in the Received line and in the log.
func (s *session) cmdHello(arg string, protocol Protocol, extended bool) {
	if protocol != s.srv.cfg.Protocol {
		s.reply(replyUnknown())
		return
	}
	arg, _, _ = strings.Cut(arg, " ")
	if arg == "" {
		s.reply(replySyntax("hello needs a host name"))
		return
	}
	s.reset() // RFC 5321 section 4.1.4
	s.helo = mail.Printable(strings.ToValidUTF8(arg[:min(len(arg), maxHelo)], "?"))
	s.extended = extended
	if !extended {
		s.reply(reply{code: 250, text: s.srv.cfg.Hostname})
		return
	}
	s.srv.metrics.reply(250)
	if s.srv.cfg.TLS != nil && s.c.TLS() == nil {
		s.c.WriteString(s.srv.helloClear)
	} else {
		s.c.WriteString(s.srv.helloTLS)
	}
}

// hello is the answer to EHLO and LHLO.
func hello(hostname string, extensions []string) string {
	lines := append([]string{hostname}, extensions...)
	var b strings.Builder
	for i, line := range lines {
		sep := "-"
		if i == len(lines)-1 {
			sep = " "
		}
		b.WriteString("250" + sep + line + "\r\n")
	}
	return b.String()
}
