package smtpserver

// cmdSTARTTLS changes to TLS (RFC 3207). Everything known about the client is forgotten, also
// what it pipelined in clear text; after a failed handshake there is no way back.
func (s *session) cmdSTARTTLS(arg string) {
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
	if s.c.StartTLS(s.ctx, s.srv.cfg.TLS) != nil {
		s.srv.metrics.startTLS.WithLabelValues("failed").Inc()
		s.over = true
		return
	}
	s.srv.metrics.startTLS.WithLabelValues("ok").Inc()
	s.helo, s.extended = "", false
}
