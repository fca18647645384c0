//go:build otel

package span

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"golang.org/x/time/rate"
)

// Built reports whether the program can export spans.
const Built = true

// library names the origin of the spans.
const library = "popelago"

// Span is a piece of work. End must follow. The methods of a zero Span do nothing.
type Span struct{ span trace.Span }

// Setup exports spans from now on to OTEL_EXPORTER_OTLP_TRACES_ENDPOINT or OTEL_EXPORTER_OTLP_ENDPOINT; without
// these variables Setup does nothing. The SDK reads the other variables of OpenTelemetry. Spans wait in a queue
// of OTEL_BSP_MAX_QUEUE_SIZE (2048); spans beyond it are dropped, and no work waits for the receiver. Faults of
// the export are logged, at most one line a minute. stop exports the waiting spans, until its context ends.
func Setup(ctx context.Context, version string, logger *slog.Logger) (stop func(context.Context), err error) {
	nothing := func(context.Context) {}
	named := os.Getenv("OTEL_EXPORTER_OTLP_ENDPOINT") != "" || os.Getenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT") != ""
	if !named || strings.EqualFold(os.Getenv("OTEL_SDK_DISABLED"), "true") {
		return nothing, nil
	}
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nothing, fmt.Errorf("span: %w", err)
	}
	// The variables OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win.
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", library), attribute.String("service.version", version)),
		resource.WithFromEnv())
	if err != nil {
		return nothing, fmt.Errorf("span: %w", errors.Join(err, exporter.Shutdown(ctx)))
	}
	faults := rate.Sometimes{First: 1, Interval: time.Minute}
	otel.SetErrorHandler(otel.ErrorHandlerFunc(func(err error) {
		faults.Do(func() { logger.Warn("spans could not be exported: mail is not affected", "cause", err) })
	}))
	provider := sdk.NewTracerProvider(sdk.WithBatcher(exporter), sdk.WithResource(about))
	otel.SetTracerProvider(provider)
	return func(ctx context.Context) {
		if err := provider.Shutdown(ctx); err != nil {
			logger.Warn("the last spans could not be exported", "cause", err)
		}
	}, nil
}

// Start begins a span within the span of ctx, or a tree of its own. The context that Start returns belongs to
// the work of the span.
func Start(ctx context.Context, name string) (context.Context, Span) {
	ctx, s := otel.GetTracerProvider().Tracer(library).Start(ctx, name)
	return ctx, Span{s}
}

// Text adds a fact.
func (s Span) Text(key, value string) { s.fact(attribute.String(key, value)) }

// Int adds a number.
func (s Span) Int(key string, value int64) { s.fact(attribute.Int64(key, value)) }

func (s Span) fact(f attribute.KeyValue) {
	if s.span != nil {
		s.span.SetAttributes(f)
	}
}

// End ends the span. The text of an error is not part of the span, because it may name an address.
func (s Span) End(err error) {
	if s.span == nil {
		return
	}
	if err != nil {
		s.span.SetStatus(codes.Error, "")
	}
	s.span.End()
}
