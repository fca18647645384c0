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

// mailLoad is one kind of work with realistic mail.
type mailLoad struct {
	name   string
	server *process.Server // nil: the bare loop

	deliveries, retrievals mailSteps
	errors                 int64
}

// mailSteps are the measurements of all rounds.
type mailSteps struct {
	rates []float64 // messages a second
	count int64
	spent spent
}

// add adds a round.
func (s *mailSteps) add(perSecond float64, count int64, used spent) {
	s.rates, s.count, s.spent = append(s.rates, perSecond), s.count+count, s.spent.plus(used)
}

// spent is the time of processors of the nodes, of a server, and of the load generator.
type spent struct{ nodes, server, load time.Duration }

func (s spent) plus(o spent) spent {
	return spent{s.nodes + o.nodes, s.server + o.server, s.load + o.load}
}

func (s spent) minus(o spent) spent {
	return spent{s.nodes - o.nodes, s.server - o.server, s.load - o.load}
}

// each returns core-milliseconds for each of count messages: of the nodes, the server, the load generator, and of all.
func (s spent) each(count int64) (nodes, server, load, all float64) {
	share := func(d time.Duration) float64 { return d.Seconds() * 1000 / float64(max(count, 1)) }
	return share(s.nodes), share(s.server), share(s.load), share(s.nodes + s.server + s.load)
}

// used returns the time of processors so far. server may be nil.
func (l *lab) used(server *process.Server) (s spent, err error) {
	if _, s.nodes, err = l.cpu(); err != nil {
		return s, err
	}
	if server != nil {
		if s.server, err = server.CPU(); err != nil {
			return s, err
		}
	}
	s.load, err = process.OwnCPU()
	return s, err
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
	loads := mailLoads{
		{name: "bare loop, raw"},
		{name: "Popelago, compressed", server: l.servers[0]},
		{name: "Popelago, raw", server: plain},
	}
	for round := -1; round < l.settings.rounds; round++ {
		length := l.settings.duration
		if round < 0 {
			length = l.settings.warmup
		}
		for _, w := range loads {
			before := *w
			if err := w.deliver(ctx, l, length); err != nil {
				return err
			}
			if err := w.retrieve(ctx, l, length); err != nil {
				return err
			}
			process.Note("round %d of %d: %s: %.0f/s, RETR %.0f/s", round+1, l.settings.rounds, w.name, last(w.deliveries.rates), last(w.retrievals.rates))
			if round < 0 {
				*w = before
			}
		}
	}
	return loads.write(os.Stdout, l)
}

// deliver measures deliveries on empty tables.
func (w *mailLoad) deliver(ctx context.Context, l *lab, d time.Duration) error {
	if err := l.empty(ctx); err != nil {
		return err
	}
	if w.server == nil {
		cfg := l.bare(d)
		cfg.realistic, cfg.used = true, func() (spent, error) { return l.used(nil) }
		results, err := measureBare(ctx, cfg)
		if err != nil {
			return err
		}
		w.deliveries.add(results[0].perSecond(), results[0].messages, results[0].spent)
		w.errors += results[0].errors
		return nil
	}
	met, err := w.measure(ctx, l, &w.deliveries, "messages", l.deliver(w.server, "--realistic", "--duration", d.String()))
	w.errors += met
	return err
}

// retrieve measures RETR of the messages that deliver left. The bare loop has none.
func (w *mailLoad) retrieve(ctx context.Context, l *lab, d time.Duration) error {
	if w.server == nil {
		return nil
	}
	_, err := w.measure(ctx, l, &w.retrievals, "RETR", l.pop3(w.server, "drain", "--connections", "16", "--keep", "--duration", d.String()))
	return err
}

// measure runs "popelago bench" with arguments, and adds a row of its report. met counts the errors of a run that went on.
func (w *mailLoad) measure(ctx context.Context, l *lab, to *mailSteps, row string, args []string) (met int64, err error) {
	before, err := l.used(w.server)
	if err != nil {
		return 0, err
	}
	r, err := process.Bench(ctx, l.binary, args...)
	if err != nil {
		return r.ErrorCount(), err
	}
	after, err := l.used(w.server)
	to.add(r.Row(row).PerSecond, r.Row(row).Count, after.minus(before))
	return r.ErrorCount(), err
}

// last returns the last value; zero without values.
func last(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	return values[len(values)-1]
}

// mailLoads begin with the bare loop.
type mailLoads []*mailLoad

// write prints the tables.
func (m mailLoads) write(w io.Writer, l *lab) error {
	fmt.Fprintf(w, "%s; realistic mail of %d octets, %d connections, %d users, %s a round\n\n", l.where(), size, connections, users, l.settings.duration)
	fmt.Fprintf(w, "| median of %d | deliveries/s | lowest to highest | ratio | RETR/s | lowest to highest |\n|---|---|---|---|---|---|\n", l.settings.rounds)
	bare := process.Median(m[0].deliveries.rates)
	var met int64
	for _, x := range m {
		met += x.errors
		fetched := ""
		if x.server != nil {
			fetched = fmt.Sprintf("%.0f", process.Median(x.retrievals.rates))
		}
		median := process.Median(x.deliveries.rates)
		fmt.Fprintf(w, "| %s | %.0f | %s | %.2f | %s | %s |\n", x.name, median, process.Span(x.deliveries.rates), median/bare, fetched, process.Span(x.retrievals.rates))
	}
	fmt.Fprintf(w, "\n| core-milliseconds | nodes | server | load generator | all | ratio | RETR: nodes | server | load generator | all |\n|---|---|---|---|---|---|---|---|---|---|\n")
	_, _, _, least := m[0].deliveries.spent.each(m[0].deliveries.count)
	for _, x := range m {
		nodes, server, load, all := x.deliveries.spent.each(x.deliveries.count)
		fmt.Fprintf(w, "| %s | %.3f | %.3f | %.3f | %.3f | %.2f |", x.name, nodes, server, load, all, least/all)
		if x.server != nil {
			nodes, server, load, all = x.retrievals.spent.each(x.retrievals.count)
			fmt.Fprintf(w, " %.3f | %.3f | %.3f | %.3f |\n", nodes, server, load, all)
		} else {
			fmt.Fprintf(w, " | | | |\n")
		}
	}
	_, err := fmt.Fprintf(w, "\nErrors: %d.\n", met)
	return err
}
