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
	for _, row := range []struct {
		name         string
		theirs, ours []float64
		wanted       float64
	}{
		{"LMTP deliveries/s", r.dovecot.Deliver, r.popelago.Deliver, 3},
		{"POP3 polls/s", r.dovecot.Poll, r.popelago.Poll, 3},
		{"RETR messages/s, pipelined", r.dovecot.RETR, r.popelago.RETR, 1.5},
		{"DELE+QUIT messages/s, pipelined", r.dovecot.DELE, r.popelago.DELE, 1.5},
	} {
		fmt.Fprintf(t, "%s\t%.0f\t%s\t%.0f\t%s\t%.2f\t%.1f\t\n", row.name,
			process.Median(row.theirs), process.Span(row.theirs), process.Median(row.ours), process.Span(row.ours), process.Median(row.ours)/process.Median(row.theirs), row.wanted)
	}
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
