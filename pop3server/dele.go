package pop3server

// cmdDELE: RFC 1939 section 5. It only marks; QUIT removes.
func (s *session) cmdDELE(rest []byte) {
	n, ok := oneNumber(rest)
	if !ok {
		s.bad(textSyntax)
		return
	}
	if err := s.drop.Mark(n); err != nil {
		s.fail("DELE", err)
		return
	}
	s.ok("marked")
}

// cmdRSET: RFC 1939 section 5.
func (s *session) cmdRSET(rest []byte) {
	if !blank(rest) {
		s.bad(textSyntax)
		return
	}
	s.drop.Reset()
	s.okCounts()
}

// cmdNOOP: RFC 1939 section 5.
func (s *session) cmdNOOP(rest []byte) {
	if !blank(rest) {
		s.bad(textSyntax)
		return
	}
	s.ok("")
}
