//go:build !otel

package span

import (
	"context"
	"log/slog"
)

// Built reports whether the program can export spans.
const Built = false

// Span is a piece of work. End must follow.
type Span struct{}

// Setup does nothing.
func Setup(context.Context, string, *slog.Logger) (stop func(context.Context), err error) {
	return func(context.Context) {}, nil
}

// Start returns ctx and a span that does nothing.
func Start(ctx context.Context, _ string) (context.Context, Span) { return ctx, Span{} }

// Text does nothing.
func (Span) Text(_, _ string) {}

// Int does nothing.
func (Span) Int(_ string, _ int64) {}

// End does nothing.
func (Span) End(error) {}
