package embedded

// place implements store.Place and store.WorkShare: there is one server, and no datacenter.
type place struct{}

// Origin implements store.Place. It is empty.
func (place) Origin() string { return "" }

// Mine implements store.WorkShare. The folder is locked by this server.
func (place) Mine(string) bool { return true }
