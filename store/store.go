package store

import "io"

// Engine implements every role. Each level of a store is an Engine. See the package comment for
// order, concurrency and errors.
type Engine interface {
	Mail
	Directory
	Ledger
	Upkeep
	Journal

	// Close ends the engine at all levels. Calls in flight finish or fail with ErrClosed. Readers
	// from OpenContent must be closed before.
	Close() error
}

// Store is an open store: every role of its engine, at every level.
type Store struct {
	Mail      Levels[Mail]
	Directory Levels[Directory]
	Ledger    Levels[Ledger]
	Upkeep    Levels[Upkeep]
	Journal   Levels[Journal]

	// Closer ends the engine, see Engine.Close.
	io.Closer
}

// New returns the roles of an engine that has several levels.
func New[E Engine](l Levels[E]) Store {
	return Store{
		Mail:      Levels[Mail]{Local: l.Local, Each: l.Each, All: l.All, Several: l.Several},
		Directory: Levels[Directory]{Local: l.Local, Each: l.Each, All: l.All, Several: l.Several},
		Ledger:    Levels[Ledger]{Local: l.Local, Each: l.Each, All: l.All, Several: l.Several},
		Upkeep:    Levels[Upkeep]{Local: l.Local, Each: l.Each, All: l.All, Several: l.Several},
		Journal:   Levels[Journal]{Local: l.Local, Each: l.Each, All: l.All, Several: l.Several},
		Closer:    l.Local,
	}
}

// Single returns the roles of an engine in one place.
func Single(e Engine) Store { return New(OneLevel(e)) }
