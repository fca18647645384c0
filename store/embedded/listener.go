package embedded

import (
	"fmt"
	"log/slog"

	"github.com/cockroachdb/pebble/v2"
)

// listener reports what happens in one life of the database. Once a life has ended Pebble goes
// on with files that were never written (see guardFS): what it finds then says nothing about
// the disk.
func (s *Store) listener(d *database) *pebble.EventListener {
	return &pebble.EventListener{
		BackgroundError: func(err error) {
			if d.fs.broken() == nil {
				s.cfg.Logger.Error("embedded store: background work failed", "cause", err)
			}
		},
		DataCorruption: func(info pebble.DataCorruptionInfo) {
			if d.fs.broken() == nil {
				s.metrics.corrupt.Inc()
				s.cfg.Logger.Error("embedded store: damaged file", "path", info.Path, "cause", info.Details)
			}
		},
		WriteStallBegin: func(info pebble.WriteStallBeginInfo) {
			if d.fs.broken() == nil {
				s.cfg.Logger.Warn("embedded store: writes are waiting", "why", info.Reason)
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

// pebbleLogger passes on what Pebble reports.
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

// Fatalf would end the process with Pebble's own logger. Here it ends the life. Pebble then
// goes on and may report success, which nobody believes (see guardFS).
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
