package pop3server

import "context"

// cmdSTLS: RFC 2595 section 4. What came before the handshake counts no more: the name that
// USER gave is forgotten, and so is all input behind the command.
func (s *session) cmdSTLS(ctx context.Context, rest []byte) {
	switch {
	case !blank(rest):
		s.bad(textSyntax)
		return
	case s.c.TLS() != nil:
		s.bad(textTLSTwice)
		return
	case s.srv.cfg.TLS == nil:
		s.bad(textNoTLS)
		return
	}
	s.user = ""
	s.ok("begin TLS negotiation")
	if s.c.StartTLS(ctx, s.srv.cfg.TLS) != nil {
		s.end = outcomeTLS
	}
}
