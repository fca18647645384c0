package embedded

import (
	"context"
	"time"

	"popelago/store"
)

// Origin is part of store.Place: there is no datacenter.
func (s *Store) Origin() string { return "" }

// Mine is part of store.WorkShare: the folder is locked, there is no other server.
func (s *Store) Mine(string) bool { return true }

// RaiseFloors is part of store.Background: mailboxes are tidied as they are emptied, see tidy.go.
func (s *Store) RaiseFloors(context.Context) (store.FloorReport, error) {
	return store.FloorReport{}, s.mayReclaim("raise floors")
}

// SweepOrphans is part of store.Background: Sweep has a list of orphans.
func (s *Store) SweepOrphans(context.Context, time.Time, time.Time) (store.OrphanReport, error) {
	return store.OrphanReport{}, s.mayReclaim("sweep orphans")
}

// mayReclaim is MayReclaim while the store is open.
func (s *Store) mayReclaim(what string) error {
	if s.isClosing() {
		return translate(store.ErrClosed, what)
	}
	return s.MayReclaim()
}
