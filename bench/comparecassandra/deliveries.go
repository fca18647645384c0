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

// rates are deliveries a second, one value for each round.
type rates struct {
	bare, popelago []float64
	lwt            bench.Report // empty if it was not measured
}

// deliveries compares deliveries with the bare loop.
func deliveries(ctx context.Context, l *lab) error {
	var r rates
	loads := []struct {
		name string
		into *[]float64
		run  func(context.Context, time.Duration) (float64, error)
	}{
		{"the bare loop", &r.bare, l.bareRate},
		{"popelago", &r.popelago, l.deliveryRate},
	}
	if l.settings.warmup > 0 {
		for _, load := range loads {
			note("warming up: %s for %s", load.name, l.settings.warmup)
			if _, err := load.run(ctx, l.settings.warmup); err != nil {
				return err
			}
		}
	}
	for round := range l.settings.rounds {
		for _, load := range loads {
			perSecond, err := load.run(ctx, l.settings.duration)
			if err != nil {
				return err
			}
			note("round %d of %d: %s: %.0f/s", round+1, l.settings.rounds, load.name, perSecond)
			*load.into = append(*load.into, perSecond)
		}
		loads[0], loads[1] = loads[1], loads[0]
	}
	if l.settings.lwt {
		note("the bare loop with and without compare-and-set")
		if err := l.empty(ctx); err != nil {
			return err
		}
		var err error
		if r.lwt, err = l.raw(ctx, l.settings.duration, "--lwt", "--rounds", fmt.Sprint(l.settings.rounds), "--warmup", "10s"); err != nil {
			return err
		}
	}
	return r.write(os.Stdout, l)
}

// bareRate runs the bare loop.
func (l *lab) bareRate(ctx context.Context, d time.Duration) (float64, error) {
	if err := l.empty(ctx); err != nil {
		return 0, err
	}
	r, err := l.raw(ctx, d, "--warmup", "0s")
	if err != nil {
		return 0, err
	}
	return sum(r.Parts, "messages").PerSecond, nil
}

// deliveryRate delivers by LMTP through all servers.
func (l *lab) deliveryRate(ctx context.Context, d time.Duration) (float64, error) {
	if err := l.empty(ctx); err != nil {
		return 0, err
	}
	reports, err := l.everywhere(ctx, func(_ int, s *process.Server) []string {
		return l.deliver(s, "--duration", d.String())
	})
	return sum(reports, "messages").PerSecond, err
}

// wanted is the share of the bare loop that deliveries should reach.
func (l *lab) wanted() float64 {
	if len(l.cluster.Nodes) == 1 {
		return 0.7
	}
	return 0.6
}

// write prints the table.
func (r *rates) write(w io.Writer, l *lab) error {
	bare, ours := process.Median(r.bare), process.Median(r.popelago)
	fmt.Fprintf(w, "%s; %d octets, %d connections, %d users, %s a round\n\n", l.where(), size, connections, users, l.settings.duration)
	fmt.Fprintf(w, "| deliveries/s, median of %d | | lowest to highest | ratio | wanted |\n|---|---|---|---|---|\n", l.settings.rounds)
	fmt.Fprintf(w, "| bare loop | %.0f | %s | | |\n", bare, process.Span(r.bare))
	fmt.Fprintf(w, "| Popelago, LMTP | %.0f | %s | %.2f | %.2f |\n", ours, process.Span(r.popelago), ours/bare, l.wanted())
	for _, ratio := range r.lwt.Ratios {
		fmt.Fprintf(w, "| bare loop, measured again | %.0f | | | |\n", ratio.To)
		fmt.Fprintf(w, "| the same with UID and MODSEQ by compare-and-set | %.0f | | %.3f | |\n", ratio.Of, ratio.Value)
	}
	var timeouts, conflicts int64
	for i := range r.lwt.Parts {
		timeouts += r.lwt.Parts[i].Fact("SERIAL timeouts")
		conflicts += r.lwt.Parts[i].Fact("conflicts")
	}
	if len(r.lwt.Parts) > 0 {
		fmt.Fprintf(w, "\nCompare-and-set: %d time-outs at SERIAL, %d conflicts.\n", timeouts, conflicts)
	}
	return nil
}
