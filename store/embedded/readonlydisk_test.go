package embedded_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"popelago/mail"
	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
)

// lockedBuffer is a log that may be written and read at the same time.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// TestReadOnlyDisk: a disk that turns read-only at any change is never reported as damage, also not to
// readers at the same time: neither in the log nor in the metric nor to callers.
func TestReadOnlyDisk(t *testing.T) {
	for k := range 10 {
		fs := newFaultFS(vfs.NewMem())
		cfg := small(fs)
		log := &lockedBuffer{}
		registry := prometheus.NewRegistry()
		cfg.Logger, cfg.Registerer = slog.New(slog.NewTextHandler(log, nil)), registry
		s := open(t, cfg)
		l := newLedger(t.Context())
		if err := l.script(s); err != nil {
			t.Fatal(err)
		}
		var mu sync.Mutex
		left := 12 * k
		fs.set(func(op, name string) error {
			mu.Lock()
			defer mu.Unlock()
			if left--; left < 0 && op != "opendir" {
				return syscall.EROFS
			}
			return nil
		})
		var readers sync.WaitGroup
		stop := make(chan struct{})
		for mb := range ledgerMailboxes {
			readers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					rows, err := storetest.List(t.Context(), s, benchMailbox(mb), 100)
					for _, m := range rows {
						if err == nil {
							_, _, err = storetest.Read(t.Context(), s, m.ID)
						}
					}
					if errors.Is(err, store.ErrCorrupt) {
						t.Errorf("from change %d on: %v", 12*k, err)
					}
				}
			})
		}
		mailtest.WaitFor(t, retryLimit, func() error {
			id := l.ids.Next()
			l.mark(func(id mail.MessageID) { l.addTried[ledgerKey{0, id}], l.size[id] = true, 30_000 }, []mail.MessageID{id})
			if err := deliver(t.Context(), s, id, benchMailbox(0), ledgerData(id, 30_000)); err == nil {
				return errors.New("the disk is not read-only yet")
			}
			return nil
		})
		wait(t.Context(), 100*time.Millisecond)
		fs.set(nil)
		close(stop)
		readers.Wait()
		l.check(t, s)
		if n := strings.Count(log.String(), "damaged"); n > 0 {
			t.Errorf("from change %d on: %d lines of damage:\n%s", 12*k, n, log)
		}
		if err := testutil.GatherAndCompare(registry, strings.NewReader(`# HELP popelago_embedded_damaged_total Reads of damaged data.
# TYPE popelago_embedded_damaged_total counter
popelago_embedded_damaged_total 0
`), "popelago_embedded_damaged_total"); err != nil {
			t.Errorf("from change %d on: %v", 12*k, err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			return
		}
	}
}
