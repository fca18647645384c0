package embedded

// Note records the synced length of the newest log now.
func (s *Store) Note() { s.engine.link.note() }
