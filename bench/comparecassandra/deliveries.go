package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"popelago/bench"
	"popelago/bench/process"
)

// load is one kind of work, with its measurements.
type load struct {
	name string
	// run returns the messages a second, and the count of errors in a run that went on.
	run    func(context.Context, time.Duration) (perSecond float64, met int64, err error)
	rates  []float64 // messages a second, one value for each round
	errors int64
}

// measure runs the load on empty tables and returns its messages a second.
func (w *load) measure(ctx context.Context, l *lab, d time.Duration) (perSecond float64, err error) {
	if err := l.empty(ctx); err != nil {
		return 0, err
	}
	perSecond, met, err := w.run(ctx, d)
	w.errors += met
	return perSecond, err
}

// comparison holds the measurements of deliveries.
type comparison struct {
	bare, popelago load
	lwt            []bareResult // of both loops, in turn; empty if not measured
}

// deliveries compares deliveries with the bare loop.
func deliveries(ctx context.Context, l *lab) error {
	c := comparison{
		bare:     load{name: "the bare loop", run: l.runBare},
		popelago: load{name: "popelago", run: l.runLMTP},
	}
	order := []*load{&c.bare, &c.popelago}
	if l.settings.warmup > 0 {
		for _, w := range order {
			process.Note("warming up: %s for %s", w.name, l.settings.warmup)
			if _, err := w.measure(ctx, l, l.settings.warmup); err != nil {
				return err
			}
			w.errors = 0
		}
	}
	for round := range l.settings.rounds {
		for _, w := range order {
			perSecond, err := w.measure(ctx, l, l.settings.duration)
			if err != nil {
				return err
			}
			process.Note("round %d of %d: %s: %.0f/s", round+1, l.settings.rounds, w.name, perSecond)
			w.rates = append(w.rates, perSecond)
		}
		order[0], order[1] = order[1], order[0]
	}
	if l.settings.lwt {
		process.Note("the bare loop with and without compare-and-set")
		if err := l.empty(ctx); err != nil {
			return err
		}
		cfg := l.bare(l.settings.duration)
		cfg.lwt, cfg.rounds, cfg.warmup = true, l.settings.rounds, 10*time.Second
		var err error
		if c.lwt, err = measureBare(ctx, cfg); err != nil {
			return err
		}
	}
	if err := c.write(os.Stdout, l); err != nil {
		return err
	}
	if n := c.bare.errors + c.popelago.errors; n > 0 {
		return fmt.Errorf("%d errors", n)
	}
	return nil
}

// runBare runs the bare loop. Errors beside messages are counted alone: nodes that are cold, or have
// too much to do, answer too late.
func (l *lab) runBare(ctx context.Context, d time.Duration) (perSecond float64, met int64, err error) {
	results, err := measureBare(ctx, l.bare(d))
	if err != nil {
		return 0, 0, err
	}
	r := results[0]
	if r.messages == 0 {
		return 0, r.errors, fmt.Errorf("the bare loop: %w", r.err)
	}
	return r.perSecond(), r.errors, nil
}

// runLMTP delivers by LMTP through all servers.
func (l *lab) runLMTP(ctx context.Context, d time.Duration) (perSecond float64, met int64, err error) {
	reports, err := l.lmtp(ctx, d)
	met, err = tolerate(reports, err)
	return sum(reports, "messages").PerSecond, met, err
}

// lmtp delivers by LMTP through all servers.
func (l *lab) lmtp(ctx context.Context, d time.Duration) ([]bench.Report, error) {
	return l.everywhere(ctx, func(_ int, s *process.Server) []string { return l.deliver(s, "--duration", d.String()) })
}

// wanted is the share of the bare loop that deliveries should reach.
func (l *lab) wanted() float64 {
	if len(l.cluster.Nodes) == 1 {
		return 0.7
	}
	return 0.6
}

// write prints the table.
func (c *comparison) write(w io.Writer, l *lab) error {
	bare, ours := process.Median(c.bare.rates), process.Median(c.popelago.rates)
	fmt.Fprintf(w, "%s; %d octets, %d connections, %d users, %s a round\n\n", l.where(), size, connections, users, l.settings.duration)
	fmt.Fprintf(w, "| deliveries/s, median of %d | | lowest to highest | ratio | wanted |\n|---|---|---|---|---|\n", l.settings.rounds)
	fmt.Fprintf(w, "| bare loop | %.0f | %s | | |\n", bare, process.Span(c.bare.rates))
	fmt.Fprintf(w, "| Popelago, LMTP | %.0f | %s | %.2f | %.2f |\n", ours, process.Span(c.popelago.rates), ours/bare, l.wanted())
	c.writeLWT(w)
	_, err := fmt.Fprintf(w, "\nErrors: bare loop %d, Popelago %d.\n", c.bare.errors, c.popelago.errors)
	return err
}

// writeLWT prints the rows about compare-and-set, if measured.
func (c *comparison) writeLWT(w io.Writer) {
	if len(c.lwt) == 0 {
		return
	}
	rates := map[loop][]float64{}
	var timeouts, conflicts, met int64
	for i := range c.lwt {
		r := &c.lwt[i]
		rates[r.loop] = append(rates[r.loop], r.perSecond())
		timeouts, conflicts, met = timeouts+r.timeouts, conflicts+r.conflicts, met+r.errors
	}
	bare, lwt := process.Median(rates[bareLoop]), process.Median(rates[lwtLoop])
	fmt.Fprintf(w, "| bare loop, measured again | %.0f | | | |\n", bare)
	fmt.Fprintf(w, "| the same with UID and MODSEQ by compare-and-set | %.0f | | %.3f | |\n", lwt, lwt/bare)
	fmt.Fprintf(w, "\nCompare-and-set: %d time-outs at SERIAL, %d conflicts, %d other errors.\n", timeouts, conflicts, met)
}
