package main

import (
	"bytes"
	"log/slog"
	"strings"
	"syscall"
	"testing"

	"github.com/cockroachdb/errors"

	"popelago/config"
)

// Neither form of the log prints the stack trace in an error of the disk.
func TestLogHasNoStackTraces(t *testing.T) {
	for _, format := range []string{"text", "json"} {
		var b bytes.Buffer
		logger, err := newLogger(&b, config.Log{Level: "info", Format: format}, new(slog.LevelVar))
		if err != nil {
			t.Fatal(err)
		}
		logger.Error("a write failed", "cause", errors.WithStack(syscall.ENOSPC), "number", 1)
		if text := b.String(); !strings.Contains(text, "no space left on device") || strings.Contains(text, "stack trace") || strings.Count(text, "\n") != 1 {
			t.Errorf("%s: %s", format, text)
		}
	}
}
