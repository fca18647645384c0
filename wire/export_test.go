package wire

// MaxLineLimit is the largest usable Config.MaxLine.
const MaxLineLimit = maxLineLimit

// Conns is the count of open connections.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}
