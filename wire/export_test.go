package wire

// MaxLineLimit is the largest usable Config.MaxLine.
const MaxLineLimit = maxLineLimit

// Conns is the count of open connections.
func (s *Server) Conns() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// Headers is the count of connections of proxies whose header is awaited.
func (s *Server) Headers() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.headers)
}
