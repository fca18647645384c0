package store

import "context"

// Watch returns a context for a method of Background. The method then calls show after each step with its report
// so far: RaiseFloors with a FloorReport, Sweep with a SweepReport, SweepOrphans with an OrphanReport, as R. A run
// without work may never call show. Calls come one at a time, from any goroutine, and wait for show: show
// returns soon, and calls no method of the store.
func Watch[R any](ctx context.Context, show func(R)) context.Context {
	return context.WithValue(ctx, watchKey[R]{}, show)
}

// Show calls the function of Watch for reports of type R, if ctx has one. For engines.
func Show[R any](ctx context.Context, soFar R) {
	if show, ok := ctx.Value(watchKey[R]{}).(func(R)); ok {
		show(soFar)
	}
}

// watchKey is the key of the function of Watch in a context.
type watchKey[R any] struct{}
