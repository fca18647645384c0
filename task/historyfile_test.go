package task_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"popelago/mailtest"
	"popelago/task"
)

// historyRig starts and stops a Runner with the jobs one and two, whose history is in a file.
type historyRig struct {
	*testing.T
	file string
	most int
	log  mailtest.Log
	n    int64
	err  error // of the next runs
}

// runs starts a Runner, runs a job some times, and returns the histories of both jobs at the end.
func (h *historyRig) runs(name string, times int) (one, two []task.Past) {
	h.Helper()
	job := func(name string) task.Job {
		return task.Job{Name: name, Run: func(context.Context, bool) (task.Report, error) {
			h.n++
			return task.Report{{"things", h.n}}, h.err
		}}
	}
	cfg := task.Config{
		History: h.most, HistoryFile: h.file, Describe: func(err error) string { return "in words: " + err.Error() },
		Logger: slog.New(slog.NewTextHandler(&h.log, nil)),
	}
	r := task.New(cfg, nil, job("one"), job("two"))
	r.Start()
	for range times {
		if _, err := r.Run(h.Context(), name); err != nil {
			h.Fatal(err)
		}
	}
	r.Close()
	one, err1 := r.History("one")
	two, err2 := r.History("two")
	if err := errors.Join(err1, err2); err != nil {
		h.Fatal(err)
	}
	return one, two
}

// things returns the reports of runs.
func things(past []task.Past) (list []int64) {
	for _, p := range past {
		list = append(list, p.Report[0].N)
	}
	return list
}

// The next start finds the last runs of each job, with their failures in words.
func TestHistoryFile(t *testing.T) {
	h := &historyRig{T: t, file: filepath.Join(t.TempDir(), "history"), most: 3}
	h.runs("one", 1)
	h.err = errors.New("broken")
	before, _ := h.runs("one", 1)
	h.err = nil
	one, two := h.runs("two", 1)
	if !slices.Equal(things(one), []int64{2, 1}) || !slices.Equal(things(two), []int64{3}) {
		t.Fatalf("after two starts: %+v, %+v", one, two)
	}
	p := one[0]
	if !p.Started.Equal(before[0].Started) || !p.Ended.Equal(before[0].Ended) || p.Ended.Location() != time.UTC || !p.Asked ||
		p.Result != task.ResultError || p.Failure != "in words: broken" || one[1].Failure != "" || one[1].Result != task.ResultOK {
		t.Errorf("%+v, want %+v", one, before)
	}
	if info, err := os.Stat(h.file); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info, err)
	}
	h.runs("one", 4)
	if one, two := h.runs("two", 0); !slices.Equal(things(one), []int64{7, 6, 5}) || !slices.Equal(things(two), []int64{3}) {
		t.Errorf("the history is longer than 3: %+v, %+v", one, two)
	}
	h.most = 1
	if one, _ := h.runs("two", 0); !slices.Equal(things(one), []int64{7}) {
		t.Errorf("with a shorter history: %+v", one)
	}
	if h.log.String() != "" && strings.Contains(h.log.String(), "history") {
		t.Errorf("the log: %s", h.log.String())
	}
}

// A file that is damaged, or that cannot be written, costs the history alone, and a line of the log.
func TestHistoryFileFails(t *testing.T) {
	dir := t.TempDir()
	h := &historyRig{T: t, file: filepath.Join(dir, "history"), most: 3}
	for _, text := range []string{"", "{", `{"jobs": {"one": 3}}`, `[]`} {
		if err := os.WriteFile(h.file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		h.log = mailtest.Log{}
		if one, _ := h.runs("one", 1); len(one) != 1 || !strings.Contains(h.log.String(), "begins anew") {
			t.Errorf("%q: %+v; the log: %s", text, one, h.log.String())
		}
		if one, _ := h.runs("one", 0); len(one) != 1 {
			t.Errorf("%q: the next start finds %+v", text, one)
		}
	}
	if err := os.WriteFile(h.file+".new", []byte("a write that was cut off"), 0o600); err != nil {
		t.Fatal(err)
	}
	if one, _ := h.runs("one", 1); len(one) != 2 {
		t.Errorf("behind a write that was cut off: %+v", one)
	}
	if one, _ := h.runs("one", 0); len(one) != 2 {
		t.Errorf("behind a write that was cut off, the next start finds %+v", one)
	}

	h.file, h.log = filepath.Join(dir, "missing", "history"), mailtest.Log{}
	if one, _ := h.runs("one", 2); len(one) != 2 {
		t.Errorf("without a folder: %+v", one)
	}
	if n := strings.Count(h.log.String(), "cannot be kept"); n != 1 {
		t.Errorf("the log has %d complaints, want 1:\n%s", n, h.log.String())
	}

	h.file, h.most = filepath.Join(dir, "none"), -1
	if one, _ := h.runs("one", 1); len(one) != 0 {
		t.Errorf("without a history: %+v", one)
	}
	if _, err := os.Stat(h.file); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a history of no run has a file: %v", err)
	}
}
