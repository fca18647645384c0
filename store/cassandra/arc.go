package cassandra

import (
	"context"
	"slices"
	"time"
)

// A ring of tokens is read in arcs where a part of the ring lacks a quorum.
const (
	arcs      = 64
	arcLength = 1 << 58
)

// readRing reads a table with scan: first all of it, and if a part of the ring cannot be read, in arcs, by a statement for
// an arc. Beside an error the rows are those of the arcs that can be read; the error is the first of an arc. A scan takes half of the
// time that is left before the deadline of ctx: nodes that hang leave time for the other arcs.
func readRing[T any](ctx context.Context, whole, arc string, scan func(ctx context.Context, cql string, values ...any) ([]T, error)) ([]T, error) {
	inTime := func(cql string, values ...any) ([]T, error) {
		ctx, cancel := halfOf(ctx)
		defer cancel()
		return scan(ctx, cql, values...)
	}
	found, err := inTime(whole)
	if !partLost(ctx, err) {
		return found, err
	}
	parts, errs := make([][]T, arcs), make([]error, arcs)
	inParallel(arcs, func(i int) {
		begin := scanStart + int64(i)*arcLength
		parts[i], errs[i] = inTime(arc, begin, arcEnd(begin))
	})
	for _, failed := range errs {
		if failed != nil {
			return slices.Concat(parts...), failed
		}
	}
	return slices.Concat(parts...), nil
}

// halfOf returns a context with half of the time left before the deadline of ctx; without a deadline, ctx.
func halfOf(ctx context.Context) (context.Context, context.CancelFunc) {
	deadline, ok := ctx.Deadline()
	if !ok {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, time.Until(deadline)/2)
}

// partLost reports whether a read failed because a part of the ring cannot be read. An overloaded server has lost nothing,
// and more reads would add to the load.
func partLost(ctx context.Context, err error) bool {
	return err != nil && blocks(err) && !unsent(err) && ctx.Err() == nil
}

// arcEnd returns the last token of the arc that the token behind a position belongs to.
func arcEnd(position int64) int64 {
	arc := (position - scanStart) >> 58 & (arcs - 1)
	if arc == arcs-1 {
		return scanEnd
	}
	return scanStart + (arc+1)*arcLength
}
