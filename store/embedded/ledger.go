package embedded

import (
	"context"
	"iter"
	"time"

	"popelago/store"
)

// ledger implements store.Ledger. It is empty: a single process needs no ledger outside its memory.
type ledger struct{}

// PutAttempt implements store.Ledger.
func (ledger) PutAttempt(context.Context, store.Attempt) error { return nil }

// Attempts implements store.Ledger.
func (ledger) Attempts(context.Context, time.Time) iter.Seq2[store.Attempt, error] {
	return func(func(store.Attempt, error) bool) {}
}

// HasAttempt implements store.Ledger.
func (ledger) HasAttempt(context.Context, store.Attempt) (bool, error) { return false, nil }

// RemoveAttempt implements store.Ledger.
func (ledger) RemoveAttempt(context.Context, store.Attempt) error { return nil }
