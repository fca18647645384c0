package pop3server

// Retrievals count for the retention after retrieval. A message counts as retrieved after RETR has sent the
// whole message and the client goes on: with a later command sent after a pause, or with QUIT. So a
// connection broken during the last message does not count, and the next pause or QUIT confirms a client
// with many commands at once. TOP never counts.

// noteRetrieved notes that message n was sent whole.
func (s *session) noteRetrieved(n int) {
	if s.srv.cfg.Retrieved != nil && s.login.AfterRetrieval.Ends() {
		s.unconfirmed = append(s.unconfirmed, n)
	}
}

// confirmRetrieved counts the messages sent so far as retrieved.
func (s *session) confirmRetrieved() {
	for _, n := range s.unconfirmed {
		s.drop.Retrieved(n)
	}
	s.unconfirmed = s.unconfirmed[:0]
}

// reportRetrieved reports the retrieved messages at the end of a session.
func (s *session) reportRetrieved() {
	if s.srv.cfg.Retrieved == nil || !s.login.AfterRetrieval.Ends() {
		return
	}
	removed := s.removed > 0 // QUIT has removed the marked messages
	if ids := s.drop.RetrievedIDs(removed); len(ids) > 0 {
		s.srv.cfg.Retrieved(s.login, ids)
	}
}
