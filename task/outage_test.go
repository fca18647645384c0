package task_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"popelago/mailtest"
	"popelago/store"
	"popelago/task"
)

// A storage that does not answer is one cause: for all failing jobs together the log has an error, a
// further error every five minutes, and a line at the end. Any other failure is an error each time.
func TestOutageIsSaidOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log mailtest.Log
		var broken atomic.Pointer[error]
		fail := func(err error) { broken.Store(&err) }
		run := func(context.Context, bool) (task.Report, error) { return nil, *broken.Load() }
		r := task.New(task.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil,
			job("one", time.Minute, run), job("two", time.Minute, run), job("three", time.Minute, run))
		said := func(errors, over int) {
			t.Helper()
			synctest.Wait()
			text := log.String()
			if n := strings.Count(text, "level=ERROR"); n != errors {
				t.Errorf("%d errors, want %d:\n%s", n, errors, text)
			}
			if n := strings.Count(text, "answered by the storage again"); n != over {
				t.Errorf("%d lines at the end of the outage, want %d:\n%s", n, over, text)
			}
		}
		outage := fmt.Errorf("wrapped: %w", store.ErrUnavailable)
		fail(outage)
		r.Start()
		defer r.Close()
		said(1, 0)
		time.Sleep(4 * time.Minute)
		said(1, 0)
		time.Sleep(3 * time.Minute)
		said(2, 0)
		if text := log.String(); !strings.Contains(text, "others_since=") {
			t.Errorf("nobody hears of the failures in between:\n%s", text)
		}
		fail(nil)
		time.Sleep(2 * time.Minute)
		said(2, 1)
		fail(fmt.Errorf("wrapped: %w", store.ErrOutcomeUnknown)) // a second outage, soon after
		time.Sleep(2 * time.Minute)
		said(3, 1)
		fail(fmt.Errorf("%w, and %w", outage, store.ErrCorrupt))
		if status, err := r.Run(t.Context(), "one"); err != nil || status.Result != task.ResultError {
			t.Errorf("%+v, %v", status, err)
		}
		said(4, 1)
	})
}
