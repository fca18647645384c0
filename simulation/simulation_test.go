package simulation_test

import (
	"flag"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"runtime/debug"
	"slices"
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
	spend = flag.Duration("spend", 0, "make runs for this long, of real time; zero: four runs")
	all   = flag.Bool("all", false, "also run the long tests")
	nodes = flag.Int("nodes", 100, "the count of nodes in each datacenter of TestManyNodes")
	plant = flag.String("defect", "", "plant the defect of this `name` in the run of -seed")
	sent  = flag.String("statements", "", "write the statements of the servers into a `file`")
	log   = flag.Bool("log", false, "print the log of the servers")
)

// inMemory is a folder for files that need not outlive the machine: servers sync theirs often.
const inMemory = "/dev/shm"

// TestMain runs the tests on one processor, so that fewer orders of goroutines are possible, and with less garbage
// collection: a run allocates much and keeps little.
func TestMain(m *testing.M) {
	flag.Parse()
	if _, err := os.Stat(inMemory); err == nil && os.Getenv("TMPDIR") == "" {
		os.Setenv("TMPDIR", inMemory)
	}
	runtime.GOMAXPROCS(1)
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(3 << 30)
	os.Exit(m.Run())
}

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
		if *sent != "" {
			file, err := os.Create(*sent)
			if err != nil {
				t.Fatal(err)
			}
			defer file.Close()
			cfg.Statements = file
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
	if *seed != 0 {
		cfg := simulation.Shape(*seed)
		if *plant != "" {
			i := slices.IndexFunc(simulation.Defects(), func(d simulation.Planted) bool { return d.Name == *plant })
			if i < 0 {
				t.Fatalf("no defect has the name %q", *plant)
			}
			cfg.Defect = simulation.Defects()[i].Defect
		}
		r := run(t, cfg)
		t.Log(strings.Join(r.Story, "\n"))
		t.Logf("%+v statements=%d work=%d hash=%x", r.Tally, r.Statements, r.Work, r.Hash)
		if len(r.Violations) > 0 {
			report(t, cfg, r)
		}
		return
	}
	began, runs := time.Now(), 0
	var sum simulation.Result
	defer func() {
		t.Logf("%d runs from seed %d on: %+v, %d statements, %d reads and writes of replicas, %d faults",
			runs, *first, sum.Tally, sum.Statements, sum.Work, sum.Faults)
	}()
	for s := *first; runs == 0 || !testing.Short() && runs < 4 && *spend == 0 || time.Since(began) < *spend; s++ {
		cfg := simulation.Shape(s)
		r := run(t, cfg)
		runs++
		sum.Add(r)
		if len(r.Violations) > 0 {
			report(t, cfg, r)
			shrink(t, cfg)
			return
		}
	}
}

// shrink looks for the faults that a violation needs, and prints what happened to the maildrops in question.
func shrink(t *testing.T, cfg simulation.Config) {
	t.Helper()
	smaller := simulation.Shrink(cfg, func(c simulation.Config) simulation.Result { return run(t, c) }, 30)
	if r := run(t, smaller); len(r.Violations) > 0 {
		report(t, smaller, r)
		t.Log(strings.Join(r.About(), "\n"))
	}
}

// TestLife lives for two months, in two datacenters.
func TestLife(t *testing.T) {
	cfg := simulation.Life(1)
	cfg.Datacenters, cfg.Nodes, cfg.Servers, cfg.Failover = 2, 3, 1, false
	cfg.Faults = simulation.Draw(cfg, 18*time.Hour, simulation.NodeCrash, simulation.NodePause, simulation.NodeSlow, simulation.NodeCut, simulation.NodeCompact,
		simulation.LinesCut, simulation.DatacenterDown, simulation.ServerKill, simulation.ServerCut)
	long(t, cfg)
}

// TestManyNodes lives for an hour with 400 nodes in four datacenters.
func TestManyNodes(t *testing.T) { long(t, simulation.Large(1, *nodes)) }

// long makes a run that takes minutes.
func long(t *testing.T, cfg simulation.Config) {
	t.Helper()
	if !*all {
		t.Skip("takes minutes: only with -all")
	}
	began := time.Now()
	r := run(t, cfg)
	if len(r.Violations) > 0 {
		report(t, cfg, r)
		t.Log(strings.Join(r.About(), "\n"))
	}
	if r.Acknowledged == 0 || r.Retrieved == 0 || r.Faults == 0 {
		t.Error("nothing happened")
	}
	t.Logf("%v with %d nodes took %v: %+v, %d statements, %d reads and writes of replicas, %d faults", cfg.Length, cfg.Datacenters*cfg.Nodes,
		time.Since(began).Round(time.Second), r.Tally, r.Statements, r.Work, r.Faults)
}

// knownRuns bounds the runs that look for a known defect, each with the next seed.
const knownRuns = 10

// TestKnownDefects plants each defect into a run that is known to find it, and into the runs after it until one finds it: stories
// change with the engine, and may part on a busy machine, see sameRuns.
func TestKnownDefects(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	for _, planted := range simulation.Defects() {
		t.Run(planted.Name, func(t *testing.T) {
			began := time.Now()
			var changed int64
			for seed := planted.Seed; seed < planted.Seed+knownRuns; seed++ {
				cfg := simulation.Shape(seed)
				cfg.Defect, cfg.Brief = planted.Defect, true
				r := run(t, cfg)
				if len(r.Violations) > 0 {
					t.Logf("seed %d, after %v (%v): %s", seed, r.Broken.Round(time.Second), time.Since(began).Round(time.Second), r.Violations[0])
					return
				}
				changed += r.Changed
			}
			t.Errorf("%d runs from seed %d on break no promise, although %d statements were changed", knownRuns, planted.Seed, changed)
		})
	}
}

// TestDefects plants one defect after the other into the statements of the servers: some run finds each.
func TestDefects(t *testing.T) {
	if !*all {
		t.Skip("takes many runs: only with -all")
	}
	for _, planted := range simulation.Defects() {
		t.Run(planted.Name, func(t *testing.T) {
			began := time.Now()
			for s := *first; s < *first+40; s++ {
				cfg := simulation.Shape(s)
				cfg.Defect, cfg.Brief = planted.Defect, true
				r := run(t, cfg)
				if len(r.Violations) > 0 {
					t.Logf("found by run %d, after %v (%v): %s", s-*first+1, time.Since(began).Round(time.Second), r.Broken.Round(time.Second), r.Violations[0])
					return
				}
				t.Logf("run %d: %d changed, %+v", s-*first+1, r.Changed, r.Tally)
			}
			t.Error("no run of 40 finds the defect")
		})
	}
}
