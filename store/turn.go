package store

import "context"

// Turn is a lock for work that calls the store, which may take long. A sync.Mutex would do the same; but virtual time
// stands still in a test while a goroutine waits for a sync.Mutex, and the call that it waits for would never end.
type Turn chan struct{}

// NewTurn returns a free Turn.
func NewTurn() Turn { return make(Turn, 1) }

// Lock waits for the turn.
func (t Turn) Lock() { t <- struct{}{} }

// LockUntil is Lock that gives up when ctx ends. Errors: the end of ctx.
func (t Turn) LockUntil(ctx context.Context) error {
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Unlock ends the turn.
func (t Turn) Unlock() { <-t }
