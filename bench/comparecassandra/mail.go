package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"popelago/bench/process"
)

// mailResult holds the measurements of realistic mail.
type mailResult struct {
	loads   []*load
	fetched map[string][]float64 // RETR a second, by the name of the load
}

// realMail measures realistic mail with and without compression, beside the bare loop. The servers share the
// nodes, and work in turn.
func realMail(ctx context.Context, l *lab) (err error) {
	plain, config, err := l.configure(0, l.data(0)+"-plain", "none")
	if err != nil {
		return err
	}
	if err := plain.Start(ctx, l.binary, "serve", "--config", config); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, plain.Stop()) }()
	deliver := func(s *process.Server) func(context.Context, time.Duration) (float64, int64, error) {
		return func(ctx context.Context, d time.Duration) (float64, int64, error) {
			r, err := process.Bench(ctx, l.binary, l.deliver(s, "--realistic", "--duration", d.String())...)
			return r.Row("messages").PerSecond, r.ErrorCount(), err
		}
	}
	bare := func(ctx context.Context, d time.Duration) (float64, int64, error) {
		cfg := l.bare(d)
		cfg.realistic = true
		results, err := measureBare(ctx, cfg)
		if err != nil {
			return 0, 0, err
		}
		return results[0].perSecond(), results[0].errors, nil
	}
	servers := map[string]*process.Server{"Popelago, compressed": l.servers[0], "Popelago, raw": plain}
	m := mailResult{fetched: map[string][]float64{}, loads: []*load{
		{name: "bare loop, raw", run: bare},
		{name: "Popelago, compressed", run: deliver(l.servers[0])},
		{name: "Popelago, raw", run: deliver(plain)},
	}}
	for round := -1; round < l.settings.rounds; round++ {
		length := l.settings.duration
		if round < 0 {
			length = l.settings.warmup
		}
		for _, w := range m.loads {
			perSecond, err := w.measure(ctx, l, length)
			if err != nil {
				return err
			}
			var fetched float64
			if s := servers[w.name]; s != nil {
				r, err := process.Bench(ctx, l.binary, l.pop3(s, "drain", "--connections", "16", "--keep", "--duration", length.String())...)
				if err != nil {
					return err
				}
				fetched = r.Row("RETR").PerSecond
			}
			process.Note("round %d of %d: %s: %.0f/s, RETR %.0f/s", round+1, l.settings.rounds, w.name, perSecond, fetched)
			if round < 0 {
				continue
			}
			w.rates, m.fetched[w.name] = append(w.rates, perSecond), append(m.fetched[w.name], fetched)
		}
	}
	return m.write(os.Stdout, l)
}

// write prints the table.
func (m *mailResult) write(w io.Writer, l *lab) error {
	fmt.Fprintf(w, "%s; realistic mail of %d octets, %d connections, %d users, %s a round\n\n", l.where(), size, connections, users, l.settings.duration)
	fmt.Fprintf(w, "| median of %d | deliveries/s | lowest to highest | ratio | RETR/s | lowest to highest |\n|---|---|---|---|---|---|\n", l.settings.rounds)
	bare := process.Median(m.loads[0].rates)
	var met int64
	for _, x := range m.loads {
		met += x.errors
		fetched, span := "", ""
		if rates := m.fetched[x.name]; rates[0] > 0 {
			fetched, span = fmt.Sprintf("%.0f", process.Median(rates)), process.Span(rates)
		}
		median := process.Median(x.rates)
		fmt.Fprintf(w, "| %s | %.0f | %s | %.2f | %s | %s |\n", x.name, median, process.Span(x.rates), median/bare, fetched, span)
	}
	_, err := fmt.Fprintf(w, "\nErrors: %d.\n", met)
	return err
}
