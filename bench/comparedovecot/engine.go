package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"time"

	"popelago/bench/process"
)

// engineBenchmark is the benchmark of one delivery to the embedded engine, with 8 KiB and 16
// goroutines.
const engineBenchmark = "BenchmarkDeliver/8KiB/16"

// nanoseconds finds the time of one operation in the output of a benchmark.
var nanoseconds = regexp.MustCompile(`(?m)^` + engineBenchmark + `\S*\s+\d+\s+([0-9.]+) ns/op`)

// buildEngine compiles the engine's benchmarks into the file binary.
func buildEngine(ctx context.Context, binary string) error {
	return process.Run(ctx, nil, "go", "test", "-c", "-o", binary, "./store/embedded")
}

// engineAlone returns the deliveries a second of the embedded engine without a server, with its
// files in dir.
func engineAlone(ctx context.Context, binary, dir string, d time.Duration) (perSecond float64, err error) {
	cmd := exec.CommandContext(ctx, binary, "-test.run", "^$", "-test.bench", "^BenchmarkDeliver$/^8KiB$/^16$",
		"-test.benchtime", d.String())
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("the engine's benchmark: %w\n%s", err, out)
	}
	found := nanoseconds.FindSubmatch(out)
	if found == nil {
		return 0, fmt.Errorf("no %s in the output of the engine's benchmark:\n%s", engineBenchmark, out)
	}
	ns, err := strconv.ParseFloat(string(found[1]), 64)
	if err != nil {
		return 0, err
	}
	return float64(time.Second) / ns, nil
}
