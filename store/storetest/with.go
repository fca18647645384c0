package storetest

import "popelago/store"

// WithMail returns s with m as the role Mail at all levels.
func WithMail(s store.Store, m store.Mail) store.Store {
	s.Mail = store.OneLevel(m)
	return s
}

// WithDirectory returns s with d as the role Directory at all levels.
func WithDirectory(s store.Store, d store.Directory) store.Store {
	s.Directory = store.OneLevel(d)
	return s
}

// WithUpkeep returns s with u as the role Upkeep at all levels.
func WithUpkeep(s store.Store, u store.Upkeep) store.Store {
	s.Upkeep = store.OneLevel(u)
	return s
}
