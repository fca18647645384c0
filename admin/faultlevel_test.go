package admin

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"popelago/store"
)

// TestFaultLevel: a request whose caller has gone is no fault of the server.
func TestFaultLevel(t *testing.T) {
	var log bytes.Buffer
	a := &api{logger: slog.New(slog.NewTextHandler(&log, nil))}
	for _, test := range []struct {
		err  error
		want string
	}{
		{fmt.Errorf("read: %w", store.ErrUnavailable), "level=ERROR"},
		{fmt.Errorf("read: %w: %w", store.ErrUnavailable, context.DeadlineExceeded), "level=ERROR"},
		{fmt.Errorf("read: %w: %w", store.ErrUnavailable, context.Canceled), "level=INFO"},
	} {
		log.Reset()
		status, text := classify(test.err)
		a.fault("import-accounts", status, text, test.err)
		if got := log.String(); !strings.Contains(got, test.want) || !strings.Contains(got, test.err.Error()) {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
}
