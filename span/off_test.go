//go:build !otel

package span_test

import (
	"context"
	"errors"
	"log/slog"
	"os/exec"
	"strings"
	"testing"

	"popelago/span"
)

// Without the tag a span costs no allocation.
func TestSpanCostsNothing(t *testing.T) {
	stop, err := span.Setup(t.Context(), "v0", slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	defer stop(t.Context())
	fault, ctx := errors.New("fault"), context.Background()
	if n := testing.AllocsPerRun(100, func() {
		inner, s := span.Start(ctx, "work")
		s.Text("key", "value")
		s.Int("octets", 1)
		s.End(fault)
		if inner != ctx {
			t.Error("the context is another one")
		}
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Without the tag the program contains no package of OpenTelemetry; with the tag it does.
func TestSpanNeedsTheTag(t *testing.T) {
	linked := func(args ...string) bool {
		t.Helper()
		out, err := exec.Command("go", append(append([]string{"list", "-deps"}, args...), "popelago/cmd/popelago")...).Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.Contains(string(out), "go.opentelemetry.io/")
	}
	if linked() {
		t.Error("the program depends on OpenTelemetry")
	}
	if !linked("-tags", "otel") {
		t.Error("the program with the tag otel does not depend on OpenTelemetry")
	}
}
