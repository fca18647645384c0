package pop3server

import (
	"context"
	"errors"

	"popelago/wire"
)

// cmdSTLS: RFC 2595 section 4. The handshake discards the state from before: the name that USER
// gave, and all input behind the command.
func (s *session) cmdSTLS(ctx context.Context, _ []byte) {
	switch {
	case s.c.TLS() != nil:
		s.reply(replyTLSActive())
		return
	case s.srv.cfg.TLS == nil:
		s.reply(replyNoTLS())
		return
	}
	s.user = ""
	s.reply(replyOK("begin TLS negotiation"))
	switch err := s.c.StartTLS(ctx, s.srv.cfg.TLS); {
	case errors.Is(err, wire.ErrEnded):
		s.ended = outcomeAdministrator
	case err != nil:
		s.ended = outcomeTLS
	}
}
