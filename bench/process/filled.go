package process

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"
)

// Filled holds what was measured with a count of stored messages.
type Filled struct {
	Messages int
	Rates    Rates
	Start    time.Duration // of the server
	Octets   int64         // on disk
	Memory   int64         // octets, after the rounds
}

// FillParts are the parts of the messages that are stored at each measurement, in hundredths.
var FillParts = []int{0, 1, 10, 100}

// fillBound is the largest factor by which the full store may be slower than the empty store.
const fillBound = 1.3

// WriteFilled prints measurements as a table in Markdown, from the empty to the full store.
func WriteFilled(w io.Writer, all []Filled) error {
	head, line := "| stored messages |", "|---|"
	for _, f := range all {
		head += fmt.Sprintf(" %d |", f.Messages)
		line += "---|"
	}
	fmt.Fprintf(w, "%s empty / full | bound |\n%s---|---|\n", head, line)
	row := func(name, format string, bounded bool, of func(Filled) float64) {
		fmt.Fprintf(w, "| %s |", name)
		for _, f := range all {
			fmt.Fprintf(w, " "+format+" |", of(f))
		}
		ratio, bound := "", ""
		if full := of(all[len(all)-1]); bounded && full > 0 {
			ratio, bound = fmt.Sprintf("%.2f", of(all[0])/full), fmt.Sprint(fillBound)
		}
		fmt.Fprintf(w, " %s | %s |\n", ratio, bound)
	}
	for _, r := range []struct {
		name  string
		rates func(Rates) []float64
	}{
		{"LMTP deliveries/s", func(r Rates) []float64 { return r.Deliver }},
		{"POP3 polls/s", func(r Rates) []float64 { return r.Poll }},
		{"RETR messages/s, pipelined", func(r Rates) []float64 { return r.RETR }},
		{"DELE+QUIT messages/s, pipelined", func(r Rates) []float64 { return r.DELE }},
	} {
		row(r.name, "%.0f", true, func(f Filled) float64 { return Median(r.rates(f.Rates)) })
	}
	row("start of the server, ms", "%.0f", false, func(f Filled) float64 { return float64(f.Start / time.Millisecond) })
	row("on disk, GB", "%.2f", false, func(f Filled) float64 { return float64(f.Octets) / 1e9 })
	row("memory of the server after the rounds, MiB", "%.0f", false, func(f Filled) float64 { return float64(f.Memory) / (1 << 20) })
	_, err := fmt.Fprintln(w)
	return err
}

// MeasureFilled starts a server by start, measures rounds of a load, and leaves the server running. The first round is
// not counted.
func MeasureFilled(s *Server, rounds int, start func() error, round func(*Rates) error) (f Filled, err error) {
	began := time.Now()
	if err := start(); err != nil {
		return f, err
	}
	f.Start = time.Since(began)
	var warmUp Rates
	if err := round(&warmUp); err != nil {
		return f, err
	}
	for range rounds {
		if err := round(&f.Rates); err != nil {
			return f, err
		}
	}
	f.Memory, err = s.Memory()
	return f, err
}

// OctetsIn returns the octets of all files in a folder.
func OctetsIn(dir string) (octets int64, err error) {
	err = filepath.Walk(dir, func(_ string, info os.FileInfo, err error) error {
		if errors.Is(err, os.ErrNotExist) {
			return nil // removed meanwhile, by a compaction
		}
		if err == nil && info.Mode().IsRegular() {
			octets += info.Size()
		}
		return err
	})
	return octets, err
}
