package task

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// historyFile keeps the history of all jobs for the next start, see Config.HistoryFile. The file is JSON:
//
//	{"jobs": {"reap": [{"started": "2026-11-26T20:00:00Z", "ended": "2026-11-26T20:00:01Z", "asked": true,
//	  "result": "ok", "report": [{"name": "contents", "n": 3}]}]}}
//
// A file that is lost or damaged costs the history alone. Safe for concurrent use.
type historyFile struct {
	path   string // empty: there is no file
	logger *slog.Logger

	mu     sync.Mutex
	failed bool // the last write
}

// savedHistory is the content of a historyFile. The runs of a job are in their order, the oldest first.
type savedHistory struct {
	Jobs map[string][]savedRun `json:"jobs"`
}

// savedRun is a Past in a historyFile.
type savedRun struct {
	Started time.Time    `json:"started"`
	Ended   time.Time    `json:"ended"`
	Asked   bool         `json:"asked,omitempty"`
	Result  Result       `json:"result"`
	Failure string       `json:"failure,omitempty"`
	Report  []savedCount `json:"report,omitempty"`
}

type savedCount struct {
	Name string `json:"name"`
	N    int64  `json:"n"`
}

// load returns the runs of all jobs, by name. A missing file has none; damage is logged.
func (f *historyFile) load() map[string][]Past {
	if f.path == "" {
		return nil
	}
	text, err := os.ReadFile(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var saved savedHistory
	if err == nil {
		err = json.Unmarshal(text, &saved)
	}
	if err != nil {
		f.logger.Warn("the history of background jobs before the start cannot be read, and begins anew", "file", f.path, "cause", err)
		return nil
	}
	all := map[string][]Past{}
	for name, runs := range saved.Jobs {
		for _, r := range runs {
			p := Past{Started: r.Started, Ended: r.Ended, Asked: r.Asked, Result: r.Result, Failure: r.Failure}
			for _, c := range r.Report {
				p.Report = append(p.Report, Count(c))
			}
			all[name] = append(all[name], p)
		}
	}
	return all
}

// save writes the runs of all jobs in place of the file before, unless there is no file. A failure is logged once,
// until a write succeeds again.
func (f *historyFile) save(all func() map[string][]Past) {
	if f.path == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	err := f.write(all())
	if err != nil && !f.failed {
		f.logger.Warn("the history of background jobs cannot be kept for the next start", "file", f.path, "cause", err)
	}
	f.failed = err != nil
}

func (f *historyFile) write(all map[string][]Past) error {
	saved := savedHistory{Jobs: map[string][]savedRun{}}
	for name, past := range all {
		for _, p := range past {
			r := savedRun{Started: p.Started.UTC(), Ended: p.Ended.UTC(), Asked: p.Asked, Result: p.Result, Failure: p.Failure}
			for _, c := range p.Report {
				r.Report = append(r.Report, savedCount(c))
			}
			saved.Jobs[name] = append(saved.Jobs[name], r)
		}
	}
	text, err := json.Marshal(saved)
	if err != nil {
		return fmt.Errorf("task: history: %w", err)
	}
	next := filepath.Clean(f.path) + ".new"
	if err := os.WriteFile(next, text, 0o600); err != nil {
		return err
	}
	return os.Rename(next, f.path)
}
