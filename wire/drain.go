package wire

// Drain refuses new connections with ErrStopping while on is set. The listeners stay open, so that
// Drain(false) undoes Drain(true) at once. Sessions go on, see EndSessions.
func (s *Server) Drain(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.draining = on
}

// EndSessions interrupts the sessions that wait for a command, and all other sessions after their
// present command, as Shutdown does.
func (s *Server) EndSessions() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for c := range s.conns {
		c.interrupt()
	}
}

// Sessions returns the number of open connections.
func (s *Server) Sessions() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// SetLimits changes the limits of connections. Connections beyond a lower limit stay.
func (s *Server) SetLimits(maxConns, maxConnsPerAddr int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cfg.MaxConns, s.cfg.MaxConnsPerAddr = maxConns, maxConnsPerAddr
}
