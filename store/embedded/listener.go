package embedded

import (
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/cockroachdb/pebble/v2"
)

// listener reports the events of one opening of the database. After a failure Pebble continues with files
// that were never written (see guardFS): its events then say nothing about the disk.
//
// A failure begins a pause of c. On a full disk compactions go on, since they reclaim space, and guardFS delays them.
func (o *opener) listener(d *database, c *compactions) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if !isFull(err) {
				c.fail()
			}
			if text := err.Error(); d.fs.broken() == nil && o.said.first(text) {
				o.cfg.Logger.Error("embedded store: background work failed", "cause", text)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			if d.fs.broken() == nil {
				o.metrics.corrupt.Inc()
				if o.said.first(info.Path) {
					o.cfg.Logger.Error("embedded store: damaged file", "path", info.Path, "cause", info.Details)
				}
			}
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			if d.fs.broken() == nil {
				o.cfg.Logger.Warn("embedded store: writes are waiting", "why", info.Reason)
			}
		},
		WALCreated: func(info pebble.WALCreateInfo) {
			if info.Err == nil {
				d.fs.named(info.Path)
			}
		},
		ManifestCreated: func(info pebble.ManifestCreateInfo) {
			if info.Err == nil {
				d.fs.named(info.Path)
			}
		},
	}
}

// pebbleLogger passes on the log of Pebble.
type pebbleLogger struct {
	log *slog.Logger
	fs  *guardFS
}

func (p pebbleLogger) Infof(format string, args ...any) {}

func (p pebbleLogger) Errorf(format string, args ...any) {
	if p.fs.broken() == nil {
		p.log.Error("embedded store: " + fmt.Sprintf(format, args...))
	}
}

// Fatalf breaks the database; the default logger of Pebble would end the process. Pebble then continues and
// may report success, which the engine ignores (see guardFS).
func (p pebbleLogger) Fatalf(format string, args ...any) {
	if p.fs.broken() == nil {
		p.log.Error("embedded store: fatal: " + fmt.Sprintf(format, args...))
	}
	err := fmt.Errorf("%s", fmt.Sprintf(format, args...))
	for _, a := range args {
		if e, ok := a.(error); ok {
			err = e
			break
		}
	}
	p.fs.fail(err)
}

const (
	// sayEvery is the interval at which the same failure is logged again.
	sayEvery = time.Minute
	// sayMost is the greatest count of failures that are logged in an interval.
	sayMost = 100
)

// said remembers the failures that were logged. Pebble repeats background work that fails at once and without end, thousands of
// times in a second: without said a damaged table would fill the disk of the log. Safe for concurrent use.
type said struct {
	mu    sync.Mutex
	since time.Time
	texts map[string]bool
}

// first reports whether a failure is to be logged.
func (s *said) first(text string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if now := time.Now(); s.texts == nil || now.Sub(s.since) >= sayEvery {
		s.since, s.texts = now, make(map[string]bool)
	}
	if s.texts[text] || len(s.texts) >= sayMost {
		return false
	}
	s.texts[text] = true
	return true
}
