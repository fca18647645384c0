package simulation_test

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/cryptotest"
	"testing/synctest"
	"time"

	"popelago/simulation"
)

var (
	seed  = flag.Uint64("seed", 0, "repeat the run with this `seed`, and print its story")
	first = flag.Uint64("first", 1, "the first seed")
	spend = flag.Duration("spend", 0, "make runs for this long; zero: a short while")
	log   = flag.Bool("log", false, "print the log of the servers")
)

// run makes a run in a bubble of its own.
func run(t *testing.T, cfg simulation.Config) simulation.Result {
	t.Helper()
	var r simulation.Result
	t.Run(fmt.Sprintf("seed=%d", cfg.Seed), func(t *testing.T) {
		cryptotest.SetGlobalRandom(t, cfg.Seed)
		cfg.Dir = t.TempDir()
		if *log {
			cfg.Verbose = slog.New(slog.NewTextHandler(os.Stderr, nil))
		}
		synctest.Test(t, func(t *testing.T) {
			var err error
			if r, err = simulation.Run(cfg); err != nil {
				t.Fatal(err)
			}
		})
	})
	return r
}

// report prints a failed run.
func report(t *testing.T, cfg simulation.Config, r simulation.Result) {
	t.Helper()
	var faults []string
	for _, f := range cfg.Faults {
		faults = append(faults, f.String())
	}
	t.Errorf("seed %d breaks %d promises:\n%s\nfaults:\n%s\nrepeat with: go test ./simulation -run Seeds -seed %d",
		cfg.Seed, len(r.Violations), strings.Join(r.Violations, "\n"), strings.Join(faults, "\n"), cfg.Seed)
}

// TestSeeds makes runs with one seed after the other.
func TestSeeds(t *testing.T) {
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(400)
	if *seed != 0 {
		cfg := simulation.Shape(*seed)
		r := run(t, cfg)
		t.Log(strings.Join(r.Story, "\n"))
		t.Logf("%+v statements=%d work=%d hash=%x", r.Tally, r.Statements, r.Work, r.Hash)
		if len(r.Violations) > 0 {
			report(t, cfg, r)
		}
		return
	}
	began, runs := time.Now(), 0
	for s := *first; runs == 0 || time.Since(began) < *spend; s++ {
		cfg := simulation.Shape(s)
		r := run(t, cfg)
		runs++
		t.Logf("seed %d: %+v statements=%d work=%d faults=%d hash=%x", s, r.Tally, r.Statements, r.Work, r.Faults, r.Hash)
		if len(r.Violations) > 0 {
			cfg = simulation.Shrink(cfg, func(c simulation.Config) simulation.Result { return run(t, c) }, 30)
			report(t, cfg, r)
			return
		}
	}
}
