package task_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/store"
	"popelago/store/storetest"
	"popelago/task"
)

// held is a directory whose lists of domains wait for the end of their context, and then ask the engine.
type held struct {
	store.Directory
	begun chan struct{}
}

func (h held) ListDomains(ctx context.Context) ([]store.Domain, error) {
	h.begun <- struct{}{}
	<-ctx.Done()
	return h.Directory.ListDomains(ctx)
}

// A cancelled run that the engine of a data folder ends is no failure of the storage: neither in the history nor in
// the log.
func TestCancelEndsTheEngine(t *testing.T) {
	st := openStore(t)
	h := held{st, make(chan struct{})}
	c := storetest.WithDirectory(store.Single(st), h)
	for _, job := range []task.Job{
		task.Expire(task.ExpireConfig{Window: time.Hour}, c),
		task.Purge(task.PurgeConfig{Window: time.Hour}, newDirectory(t, h), c, nil),
	} {
		var log mailtest.Log
		r := task.New(task.Config{Logger: slog.New(slog.NewTextHandler(&log, nil))}, nil, job)
		defer r.Close()
		r.Start()
		n, err := r.Ask(job.Name)
		if err != nil {
			t.Fatal(err)
		}
		<-h.begun
		if ended, err := r.Cancel(job.Name); err != nil || !ended {
			t.Fatal(ended, err)
		}
		s, err := r.Wait(t.Context(), job.Name, n)
		if err != nil || s.Result != task.ResultCancelled || !errors.Is(s.Err, task.ErrCancelled) || errors.Is(s.Err, store.ErrUnavailable) {
			t.Errorf("%s: %s, %v, %v", job.Name, s.Result, s.Err, err)
		}
		if strings.Contains(log.String(), "background job failed") {
			t.Errorf("%s: the log reports a failure:\n%s", job.Name, &log)
		}
	}
}
