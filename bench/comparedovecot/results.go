package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"popelago/bench/process"
)

// results holds all measurements. Memory is in octets.
type results struct {
	dovecot, popelago process.Rates
	engine            []float64 // deliveries a second without a server
	idleMemory        int64     // started, and nothing done yet
	usedMemory        int64     // after all rounds
	sessionMemory     int64     // with many sessions open
}

// of returns the rates of a server.
func (r *results) of(s *process.Server) *process.Rates {
	if s.Name == "dovecot" {
		return &r.dovecot
	}
	return &r.popelago
}

// write prints the table.
func (r *results) write(w io.Writer, s settings) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "median of %d, lowest to highest\tdovecot\t\tpopelago\t\tratio\twanted\t\n", s.rounds)
	process.WriteRatios(t, &r.dovecot, &r.popelago, process.Wanted{Deliver: 3, Poll: 3, RETR: 1.5, DELE: 1.5})
	process.WriteCosts(t, "the server", &r.dovecot.Cost, &r.popelago.Cost)
	alone := process.Median(r.engine)
	fmt.Fprintf(t, "engine alone, deliveries/s (ratio: popelago to it)\t\t\t%.0f\t%s\t%.2f\t0.6\t\n",
		alone, process.Span(r.engine), process.Median(r.popelago.Deliver)/alone)
	for _, row := range []struct {
		name   string
		octets int64
		wanted string
	}{
		{"memory when started, MiB", r.idleMemory, "< 60"},
		{"memory after the rounds, MiB", r.usedMemory, ""},
		{fmt.Sprintf("memory with %d sessions, MiB", s.sessions), r.sessionMemory, "< 300"},
	} {
		fmt.Fprintf(t, "%s\t\t\t%.1f\t\t\t%s\t\n", row.name, float64(row.octets)/(1<<20), row.wanted)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%d messages of %d octets a round, %d users, %d connections\n", s.messages, size, users, connections)
	return err
}
