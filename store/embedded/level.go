package embedded

import "popelago/store"

// At is part of store.Store: there is one place, and one level.
func (s *Store) At(store.Level) store.Store { return s }

// Clock is part of store.Store: there is no other clock to compare with.
func (s *Store) Clock() error { return nil }
