package admin_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/store/embedded"
)

// With a wrong clock changes are refused with the remedy, without a log line each; and an operator
// declares the clock right.
func TestClock(t *testing.T) {
	var ahead atomic.Int64
	engine, err := embedded.Open(embedded.Config{
		Dir: "data", FS: vfs.NewMem(), Reserve: -1, Now: func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) },
	})
	if err != nil {
		t.Fatal(err)
	}
	defer engine.Close()
	f := (&fixture{engine: engine}).start(t)
	c := f.unix(t)
	ctx := t.Context()
	if _, err := c.AddDomain(ctx, "example.org"); err != nil {
		t.Fatal(err)
	}
	if clock, err := c.Clock(ctx); err != nil || !clock.Trusted || clock.Cause != "" || clock.High == nil || time.Since(clock.Now).Abs() > time.Hour {
		t.Errorf("%+v, %v", clock, err)
	}
	ahead.Store(int64(100 * 24 * time.Hour))
	clock, err := c.Clock(ctx)
	if err != nil || clock.Trusted || !strings.Contains(clock.Cause, "set ahead by 2400h") || clock.Ahead < 8_639_000 {
		t.Errorf("%+v, %v", clock, err)
	}
	_, err = c.AddAccount(ctx, "alice@example.org", "secret1")
	wantStatus(t, "an account", err, http.StatusServiceUnavailable, "popelago clock show")
	wantStatus(t, "a domain", c.RemoveDomain(ctx, "example.org"), http.StatusServiceUnavailable, "popelago clock show")
	if strings.Contains(f.log.String(), "admin request failed") {
		t.Errorf("the store says what is wrong with the clock; but:\n%s", f.log)
	}
	if clock, err := c.TrustClock(ctx); err != nil || !clock.Trusted {
		t.Errorf("%+v, %v", clock, err)
	}
	if _, err := c.AddAccount(ctx, "alice@example.org", "secret1"); err != nil {
		t.Error(err)
	}
	if !strings.Contains(f.log.String(), "the clock was said to be right") {
		t.Errorf("the log does not tell:\n%s", f.log)
	}
}
