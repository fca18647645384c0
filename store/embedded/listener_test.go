package embedded

import (
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/vfs"

	"popelago/mailtest"
)

// Pebble repeats background work without end while a table is damaged: the log names each failure and each file once a minute.
func TestRepeatedFailuresAreLoggedOnceAMinute(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log mailtest.Log
		cfg := Config{Dir: "data", FS: vfs.NewMem(), Logger: slog.New(slog.NewTextHandler(&log, nil))}
		if err := cfg.setDefaults(); err != nil {
			t.Fatal(err)
		}
		o := newOpener(cfg, newFolder(cfg), nil, newMetrics())
		defer o.release()
		guard := newGuardFS(cfg.FS, func(error) {})
		listener := o.listener(&database{fs: guard}, newCompactions(guard.broken))
		for range 600 {
			for i := range 3 {
				listener.BackgroundError(fmt.Errorf("table %d: %w", i, errors.New("checksum")))
				listener.DataCorruption(pebble.DataCorruptionInfo{Path: fmt.Sprint(i), Details: errors.New("checksum")})
			}
			time.Sleep(time.Second)
		}
		for i := range 1000 {
			listener.BackgroundError(fmt.Errorf("table %d: %w", 100+i, errors.New("checksum")))
		}
		text := log.String()
		for what, want := range map[string]int{"work failed\" cause=\"table 1:": 10, "damaged file\" path=1 ": 10, "table 1": 10 + sayMost} {
			if n := strings.Count(text, what); n != want {
				t.Errorf("%d lines with %q, want %d", n, what, want)
			}
		}
	})
}
