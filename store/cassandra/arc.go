package cassandra

import (
	"context"
	"slices"
)

// A ring of tokens is read in arcs where a part of the ring lacks a quorum.
const (
	arcs      = 64
	arcLength = 1 << 58
)

// readRing reads a table with scan: first all of it, and if a part of the ring cannot be read, in arcs, by a statement for
// an arc. Beside an error the rows are those of the arcs that can be read; the error is the first of an arc.
func readRing[T any](ctx context.Context, whole, arc string, scan func(cql string, values ...any) ([]T, error)) ([]T, error) {
	found, err := scan(whole)
	if !partLost(ctx, err) {
		return found, err
	}
	parts, errs := make([][]T, arcs), make([]error, arcs)
	inParallel(arcs, func(i int) {
		begin := scanStart + int64(i)*arcLength
		parts[i], errs[i] = scan(arc, begin, arcEnd(begin))
	})
	for _, failed := range errs {
		if failed != nil {
			return slices.Concat(parts...), failed
		}
	}
	return slices.Concat(parts...), nil
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
