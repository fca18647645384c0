package bench

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"
)

// WriteJSON writes the report as one JSON object, indented.
func (r *Report) WriteJSON(w io.Writer) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(r)
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	r.rows(t)
	if err := t.Flush(); err != nil {
		return err
	}
	return r.details(w)
}

// rows writes the rows of the report and of its parts as one table.
func (r *Report) rows(w io.Writer) {
	fmt.Fprint(w, "\tcount\tper s\tMiB/s\tp50 ms\tp95 ms\tp99 ms\tmax ms\t\n")
	var write func(r *Report)
	write = func(r *Report) {
		for _, row := range r.Rows {
			octets := "-"
			if row.Octets > 0 {
				octets = fmt.Sprintf("%.1f", row.OctetsPerSecond/(1<<20))
			}
			fmt.Fprintf(w, "%s %s\t%d\t%.1f\t%s\t%.2f\t%.2f\t%.2f\t%.2f\t\n",
				r.Name, row.Name, row.Count, row.PerSecond, octets, row.P50, row.P95, row.P99, row.Max)
		}
		for i := range r.Parts {
			write(&r.Parts[i])
		}
	}
	write(r)
}

// details writes the facts, errors and findings below the table.
func (r *Report) details(w io.Writer) error {
	seconds := time.Duration(r.Seconds * float64(time.Second)).Round(time.Millisecond)
	fmt.Fprintf(w, "%s: took %s", r.Name, seconds)
	if r.Stopped {
		fmt.Fprint(w, ", ended early")
	}
	for _, f := range r.Facts {
		fmt.Fprintf(w, ", %s %d", f.Name, f.Value)
	}
	fmt.Fprintln(w)
	for _, e := range r.Errors {
		fmt.Fprintf(w, "%8d x %s\n", e.Count, e.Class)
	}
	if r.Findings != nil {
		r.Findings.write(w, r.Stopped)
	}
	for i := range r.Parts {
		if err := r.Parts[i].details(w); err != nil {
			return err
		}
	}
	return nil
}

// write writes the findings for people. stopped says that not all was checked.
func (f *Findings) write(w io.Writer, stopped bool) {
	fmt.Fprintf(w, "%d messages in %d mailboxes; journal: %d acknowledged, %d removed\n", f.Messages, f.Mailboxes, f.Acknowledged, f.Removed)
	fmt.Fprintf(w, "allowed: unknown outcome %d there, %d not there, %d twice, %d vanished; removal unknown %d, %d still there; %d not in the journal\n",
		f.UnknownPresent, f.UnknownAbsent, f.UnknownDuplicates, f.UnknownVanished, f.UnknownRemovals, f.UnknownRemovalsPresent, f.Foreign)
	switch {
	case f.Failures() == 0 && stopped:
		fmt.Fprintln(w, "no violations so far: not all was checked")
		return
	case f.Failures() == 0:
		fmt.Fprintln(w, "no violations")
		return
	}
	for _, kind := range violations {
		if n := f.Violations[kind]; n > 0 {
			fmt.Fprintf(w, "VIOLATION %s: %d\n", kind, n)
		}
	}
	for _, e := range f.Examples {
		fmt.Fprintf(w, "  %s\n", e)
	}
}
