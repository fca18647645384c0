package smtpserver

import (
	"context"
	"strings"

	"popelago/mail"
)

// maxHelo limits the octets that are kept of the argument of a hello.
const maxHelo = 255

func (s *session) cmdHELO(_ context.Context, arg string) { s.hello(arg, false) }

// cmdEHLO answers EHLO and LHLO.
func (s *session) cmdEHLO(_ context.Context, arg string) { s.hello(arg, true) }

// hello answers HELO, EHLO and LHLO. Any argument will do: it only stands in the Received line and
// in the log.
func (s *session) hello(arg string, extended bool) {
	arg, _, _ = strings.Cut(arg, " ")
	if arg == "" {
		s.reply(replySyntax("hello needs a host name"))
		return
	}
	s.reset() // RFC 5321 section 4.1.4
	s.helo = mail.Printable(strings.ToValidUTF8(arg[:min(len(arg), maxHelo)], "?"))
	s.extended = extended
	if !extended {
		s.reply(replyHELO(s.srv.cfg.Hostname))
		return
	}
	s.srv.metrics.reply(250)
	if s.srv.cfg.TLS != nil && s.c.TLS() == nil {
		s.c.WriteString(s.srv.helloClear)
	} else {
		s.c.WriteString(s.srv.helloTLS)
	}
}

// replyEHLO is the reply to EHLO and LHLO, with all its lines.
func replyEHLO(hostname string, extensions []string) string {
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
