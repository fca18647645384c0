package embedded

// Origin implements store.Place: there is no datacenter.
func (s *Store) Origin() string { return "" }

// Mine implements store.WorkShare: the folder is locked, there is no other server.
func (s *Store) Mine(string) bool { return true }
