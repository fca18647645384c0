package pop3server

import "context"

// cmdDELE: RFC 1939 section 5. DELE only marks a message; QUIT removes the message.
func (s *session) cmdDELE(_ context.Context, arg []byte) {
	n, ok := oneNumber(arg)
	if !ok {
		s.reply(replySyntax())
		return
	}
	if err := s.drop.Mark(n); err != nil {
		s.fail("DELE", err)
		return
	}
	s.reply(replyOK("marked"))
}

// cmdRSET: RFC 1939 section 5.
func (s *session) cmdRSET(context.Context, []byte) {
	s.drop.Reset()
	s.replyCounts()
}

// cmdNOOP: RFC 1939 section 5.
func (s *session) cmdNOOP(context.Context, []byte) { s.reply(replyOK("")) }
