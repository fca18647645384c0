package embedded

import (
	"context"
	"iter"
	"time"

	"popelago/store"
)

// PutAttempt implements store.Ledger. A single process needs no ledger outside its memory.
func (s *Store) PutAttempt(context.Context, store.Attempt) error { return nil }

// Attempts implements store.Ledger.
func (s *Store) Attempts(context.Context, time.Time) iter.Seq2[store.Attempt, error] {
	return func(func(store.Attempt, error) bool) {}
}

// HasAttempt implements store.Ledger.
func (s *Store) HasAttempt(context.Context, store.Attempt) (bool, error) { return false, nil }

// RemoveAttempt implements store.Ledger.
func (s *Store) RemoveAttempt(context.Context, store.Attempt) error { return nil }
