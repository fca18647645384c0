package embedded

// Origin implements store.Place. It is empty: there is no datacenter.
func (s *Store) Origin() string { return "" }

// Mine implements store.WorkShare. The folder is locked by this server.
func (s *Store) Mine(string) bool { return true }
