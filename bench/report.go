package bench

import "time"

// Milliseconds is a duration in the form of reports.
type Milliseconds float64

// millis converts d.
func millis(d time.Duration) Milliseconds { return Milliseconds(d) / Milliseconds(time.Millisecond) }

// Latency holds percentiles of a duration, at most 1/32 too high. All are 0 without measurements.
type Latency struct {
	P50 Milliseconds `json:"p50_ms"`
	P95 Milliseconds `json:"p95_ms"`
	P99 Milliseconds `json:"p99_ms"`
	Max Milliseconds `json:"max_ms"`
}

// Row is one kind of work within a run.
type Row struct {
	Name            string  `json:"name"`
	Count           int64   `json:"count"`
	PerSecond       float64 `json:"per_second"`
	Octets          int64   `json:"octets,omitempty"`
	OctetsPerSecond float64 `json:"octets_per_second,omitempty"`
	Latency
}

// ErrorCount counts the errors of one class. A class is a reply (or the text of a failed
// connection) without its variable parts, such as addresses and ids.
type ErrorCount struct {
	Class string `json:"class"`
	Count int64  `json:"count"`
}

// Fact is a further count of a run.
type Fact struct {
	Name  string `json:"name"`
	Value int64  `json:"value"`
}

// Report is the result of a run.
type Report struct {
	// Name is the command, such as "deliver lmtp".
	Name string `json:"name"`
	// Start is the beginning of the run, Seconds its duration by the wall clock. Rates are counts
	// divided by Seconds.
	Start   time.Time `json:"start"`
	Seconds float64   `json:"seconds"`
	// Stopped is true if the run was cancelled before its end.
	Stopped bool `json:"stopped,omitempty"`

	Rows   []Row        `json:"rows,omitempty"`
	Facts  []Fact       `json:"facts,omitempty"`
	Errors []ErrorCount `json:"errors,omitempty"`

	// Findings is set by Verify only.
	Findings *Findings `json:"findings,omitempty"`

	// Parts are the reports of the phases of a run, in order.
	Parts []Report `json:"parts,omitempty"`
}

// ErrorCount returns how many errors the run and its parts met.
func (r *Report) ErrorCount() int64 {
	var n int64
	for _, e := range r.Errors {
		n += e.Count
	}
	for i := range r.Parts {
		n += r.Parts[i].ErrorCount()
	}
	return n
}

// Failures returns how many violations a verification found, in the run and its parts.
func (r *Report) Failures() int64 {
	var n int64
	if r.Findings != nil {
		n = r.Findings.Failures()
	}
	for i := range r.Parts {
		n += r.Parts[i].Failures()
	}
	return n
}

// Row returns the row called name, or a zero Row.
func (r *Report) Row(name string) Row {
	for _, row := range r.Rows {
		if row.Name == name {
			return row
		}
	}
	return Row{Name: name}
}

// Fact returns the value of the fact called name, or 0.
func (r *Report) Fact(name string) int64 {
	for _, f := range r.Facts {
		if f.Name == name {
			return f.Value
		}
	}
	return 0
}

// addRow appends a row for the counts of m in the run's time.
func (r *Report) addRow(name string, m *measure) {
	row := Row{Name: name, Count: m.count, Octets: m.octets, Latency: m.hist.latency()}
	if r.Seconds > 0 {
		row.PerSecond = float64(m.count) / r.Seconds
		row.OctetsPerSecond = float64(m.octets) / r.Seconds
	}
	r.Rows = append(r.Rows, row)
}

// addFact appends a fact, unless it is 0.
func (r *Report) addFact(name string, v int64) {
	if v != 0 {
		r.Facts = append(r.Facts, Fact{Name: name, Value: v})
	}
}

// measure counts one kind of work on one connection. Merge after the end of all.
type measure struct {
	count  int64
	octets int64
	hist   histogram
}

// add counts n pieces of work of duration d each, with octets in all.
func (m *measure) add(n, octets int64, d time.Duration) {
	m.count += n
	m.octets += octets
	m.hist.add(d)
}

// merge adds all counts of o.
func (m *measure) merge(o *measure) {
	m.count += o.count
	m.octets += o.octets
	m.hist.merge(&o.hist)
}
