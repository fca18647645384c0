package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is a line of go test -json: go doc cmd/test2json.
type event struct {
	Action, Package, ImportPath, Test, Output string
	Elapsed                                   float64 // seconds
}

// timed is an ended package or test.
type timed struct {
	name    string
	seconds float64
}

// report gathers events.
type report struct {
	w        io.Writer
	running  map[string]*outputs // by package
	packages []timed
	tests    []timed        // top-level tests only
	reasons  []string       // of the failed tests, a line each
	logged   []string       // by the passed tests whose names match show, a line each
	show     *regexp.Regexp // nil: none
	failed   bool
}

// outputs holds the output of the tests of a running package.
type outputs struct {
	order []string            // tests by their beginnings; "" is the package itself
	text  map[string][]string // of tests that have not passed
}

func newReport(w io.Writer) *report { return &report{w: w, running: map[string]*outputs{}} }

// read reads all events, and prints other lines unchanged.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		var e event
		switch {
		case len(line) == 0:
		case json.Unmarshal(line, &e) != nil:
			r.w.Write(line)
		default:
			r.add(e)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

func (r *report) add(e event) {
	switch e.Action {
	case "build-output":
		io.WriteString(r.w, e.Output)
		return
	case "build-fail":
		r.failed = true
		return
	}
	p := r.running[e.Package]
	if p == nil {
		p = &outputs{text: map[string][]string{}}
		r.running[e.Package] = p
	}
	switch e.Action {
	case "output":
		if !slices.Contains(p.order, e.Test) {
			p.order = append(p.order, e.Test)
		}
		p.text[e.Test] = append(p.text[e.Test], e.Output)
	case "pass", "skip", "fail":
		if e.Test == "" {
			r.end(e, p)
			return
		}
		if e.Action != "fail" {
			if r.show != nil && r.show.MatchString(e.Test) {
				r.logged = append(r.logged, logLines(e.Package+" "+e.Test, p.text[e.Test])...)
			}
			delete(p.text, e.Test)
			p.order = slices.DeleteFunc(p.order, func(name string) bool { return name == e.Test })
		}
		if !strings.Contains(e.Test, "/") {
			r.tests = append(r.tests, timed{e.Package + " " + e.Test, e.Elapsed})
		}
	}
}

// end prints an ended package, and the output of its tests that failed or did not end.
func (r *report) end(e event, p *outputs) {
	delete(r.running, e.Package)
	if e.Action == "fail" {
		r.failed = true
		for _, test := range p.order {
			for _, text := range p.text[test] {
				io.WriteString(r.w, text)
			}
			r.reasons = append(r.reasons, reasons(e.Package+" "+test, p.text[test])...)
		}
	}
	r.packages = append(r.packages, timed{e.Package, e.Elapsed})
	word := map[string]string{"pass": "ok", "skip": "-", "fail": "FAIL"}[e.Action]
	fmt.Fprintf(r.w, "%-4s %7.1f s  %s\n", word, e.Elapsed, e.Package)
}

const (
	mostReasons = 10  // of one test
	mostLetters = 500 // of one line
)

// logLine matches the lines of t.Log, t.Error and t.Fatal, the line of a script that failed, and the first lines
// of a panic and of a race.
var logLine = regexp.MustCompile(`^ *[\w.-]+\.go:\d+: |^ *FAIL: |^panic: |^fatal error: |^WARNING: DATA RACE`)

// logLines returns the lines of a test's output that match logLine, after the name of the test.
func logLines(name string, output []string) []string {
	var found []string
	for _, line := range output {
		if line = strings.TrimRight(line, "\n"); logLine.MatchString(line) {
			found = append(found, fmt.Sprintf("%s: %.*s", strings.TrimSpace(name), mostLetters, strings.TrimSpace(line)))
		}
	}
	return found
}

// reasons returns the last lines of a failed test's output that name the fault. The output of a
// cluster around them can have thousands of lines.
func reasons(name string, output []string) []string {
	found := logLines(name, output)
	return found[max(0, len(found)-mostReasons):]
}

// conclude prints the requested logs, and the reasons of failures.
func (r *report) conclude() {
	for _, part := range []struct {
		title string
		lines []string
	}{{"what tests logged", r.logged}, {"why tests failed", r.reasons}} {
		if len(part.lines) > 0 {
			fmt.Fprintf(r.w, "\n%s\n", part.title)
		}
		for _, line := range part.lines {
			fmt.Fprintln(r.w, line)
		}
	}
}

// Bounds of the list of the slowest.
const (
	slowSeconds = 5
	slowTests   = 20
)

// slowest prints the slowest packages and tests, and packages that never ended.
func (r *report) slowest() {
	for name := range r.running {
		r.failed = true
		fmt.Fprintf(r.w, "FAIL %s did not come to an end\n", name)
	}
	for _, part := range []struct {
		title string
		list  []timed
		most  int
	}{{"packages", r.packages, len(r.packages)}, {"tests", r.tests, slowTests}} {
		list := slices.DeleteFunc(slices.Clone(part.list), func(t timed) bool { return t.seconds < slowSeconds })
		slices.SortStableFunc(list, func(a, b timed) int { return cmp.Compare(b.seconds, a.seconds) })
		if len(list) > 0 {
			fmt.Fprintf(r.w, "\nslowest %s, of more than %d s\n", part.title, slowSeconds)
		}
		for _, t := range list[:min(len(list), part.most)] {
			fmt.Fprintf(r.w, "%7.1f s  %s\n", t.seconds, t.name)
		}
	}
}
