package smtpserver

import "context"

// cmdSTARTTLS changes to TLS (RFC 3207). The handshake discards the state from before: the hello, the
// transaction, and all input behind the command. A failed handshake ends the session.
func (s *session) cmdSTARTTLS(ctx context.Context, arg string) {
	switch {
	case s.c.TLS() != nil:
		s.reply(replySequence("TLS is on already"))
		return
	case s.srv.cfg.TLS == nil:
		s.reply(replyNotOffered("STARTTLS"))
		return
	case arg != "":
		s.reply(replySyntax("STARTTLS has no argument"))
		return
	}
	s.reset()
	s.reply(replyStartTLS())
	if s.c.StartTLS(ctx, s.srv.cfg.TLS) != nil {
		s.srv.metrics.startTLS.WithLabelValues("failed").Inc()
		s.ended = outcomeTLS
		return
	}
	s.srv.metrics.startTLS.WithLabelValues("ok").Inc()
	s.helo, s.extended = "", false
}
