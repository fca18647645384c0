package store

import "context"

// Early returns a context for an OpenContent that nobody waits for yet. A busy engine refuses an early call with
// ErrOverloaded, at once, so that early calls delay no other call.
func Early(ctx context.Context) context.Context { return context.WithValue(ctx, earlyKey{}, true) }

// IsEarly reports whether ctx is a context of Early. For engines.
func IsEarly(ctx context.Context) bool { return ctx.Value(earlyKey{}) != nil }

// earlyKey is the key of Early in a context.
type earlyKey struct{}
