package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"popelago/bench"
	"popelago/bench/process"
)

// step is one kind of operation, with the time of processors that it took.
type step struct {
	name           string
	count          int64
	servers, nodes time.Duration // of all of them together, idle time taken off
	length         time.Duration
}

// costs are the results of the scenario "cost".
type costs struct {
	servers, nodes float64 // idle: milliseconds of processors a second
	steps          []step
}

// settle is the time after a step in which its later work counts, such as the sync of a commit log.
const settle = 5 * time.Second

// operation is one kind of operation.
type operation struct {
	name, row string // row of the report that counts the operations
	// args returns the arguments of "popelago bench" for the server of datacenter i. d is the length of an operation that
	// goes on for a time.
	args func(i int, s *process.Server, d time.Duration) []string
}

// operations returns all kinds, in the order in which they run.
func (l *lab) operations() []operation {
	share := users / len(l.servers)
	mine := func(i int) []string {
		return []string{"--first-user", strconv.Itoa(1 + i*share), "--users", strconv.Itoa(share)}
	}
	return []operation{
		{"delivery", "messages", func(_ int, s *process.Server, d time.Duration) []string {
			return l.deliver(s, "--duration", d.String())
		}},
		{"login with STAT", "sessions", func(_ int, s *process.Server, d time.Duration) []string {
			return l.pop3(s, "poll", "--duration", d.String())
		}},
		{"retrieval", "RETR", func(i int, s *process.Server, _ time.Duration) []string {
			return l.pop3(s, "drain", append(mine(i), "--keep")...)
		}},
		{"removal", "DELE+QUIT", func(i int, s *process.Server, _ time.Duration) []string {
			return l.pop3(s, "drain", append(mine(i), "--no-retr")...)
		}},
	}
}

// run runs an operation everywhere, and returns the count.
func (l *lab) run(ctx context.Context, o operation, d time.Duration) (int64, error) {
	reports, err := l.everywhere(ctx, func(i int, s *process.Server) []string { return o.args(i, s, d) })
	if _, err := tolerate(reports, err); err != nil {
		return 0, fmt.Errorf("%s: %w", o.name, err)
	}
	return total(reports, o.row), ctx.Err()
}

// cost measures the time of processors of deliveries, logins, retrievals and removals. The load generator does not
// count. Time of processors depends little on other work on the machine.
func cost(ctx context.Context, l *lab) error {
	process.Note("warming up: all operations in turn for %s", l.settings.warmup)
	for start := time.Now(); time.Since(start) < l.settings.warmup; {
		for _, o := range l.operations() {
			if _, err := l.run(ctx, o, 5*time.Second); err != nil {
				return err
			}
		}
	}
	if err := l.empty(ctx); err != nil {
		return err
	}
	var c costs
	process.Note("measuring the idle processes")
	idle, err := l.spent(ctx, func() (int64, error) {
		pause(ctx, 15*time.Second)
		return 0, ctx.Err()
	})
	if err != nil {
		return err
	}
	c.servers, c.nodes = perSecond(idle.servers, idle.length), perSecond(idle.nodes, idle.length)
	for _, o := range l.operations() {
		process.Note("measuring: %s", o.name)
		done, err := l.spent(ctx, func() (n int64, err error) {
			if n, err = l.run(ctx, o, l.settings.duration); err == nil {
				pause(ctx, settle)
			}
			return n, errors.Join(err, ctx.Err())
		})
		if err != nil {
			return err
		}
		if done.count == 0 {
			return fmt.Errorf("%s: nothing was done", o.name)
		}
		done.name = o.name
		done.servers -= time.Duration(c.servers * float64(time.Millisecond) * done.length.Seconds())
		done.nodes -= time.Duration(c.nodes * float64(time.Millisecond) * done.length.Seconds())
		c.steps = append(c.steps, done)
	}
	return c.write(os.Stdout, l)
}

// total adds up the counts of a row in reports and their parts.
func total(reports []bench.Report, row string) (n int64) {
	for i := range reports {
		n += reports[i].Row(row).Count + total(reports[i].Parts, row)
	}
	return n
}

// perSecond returns milliseconds of processors a second.
func perSecond(used, length time.Duration) float64 {
	return used.Seconds() * 1000 / length.Seconds()
}

// spent measures the processors during some work.
func (l *lab) spent(ctx context.Context, work func() (int64, error)) (s step, err error) {
	servers, nodes, err := l.cpu()
	if err != nil {
		return s, err
	}
	start := time.Now()
	if s.count, err = work(); err != nil {
		return s, err
	}
	s.length = time.Since(start)
	afterServers, afterNodes, err := l.cpu()
	s.servers, s.nodes = afterServers-servers, afterNodes-nodes
	return s, err
}

// cpu adds up the processors' time of all servers, and of all nodes.
func (l *lab) cpu() (servers, nodes time.Duration, err error) {
	for _, s := range l.servers {
		used, err := s.CPU()
		if err != nil {
			return 0, 0, err
		}
		servers += used
	}
	for _, n := range l.cluster.Nodes {
		used, err := process.CPU(n.PID())
		if err != nil {
			return 0, 0, err
		}
		nodes += used
	}
	return servers, nodes, nil
}

// writes is the count of writes of a delivery, see TestStatementBudget in store/cassandra.
const writes = 2

// write prints the table.
func (c *costs) write(w io.Writer, l *lab) error {
	all := 0
	for _, dc := range l.settings.datacenters {
		all += replicas(dc)
	}
	fmt.Fprintf(w, "%s; %d octets, %d connections, %d users\n\n", l.where(), size, connections, users)
	fmt.Fprintf(w, "| core-milliseconds | count | servers | nodes | all | nodes, per write of a replica |\n|---|---|---|---|---|---|\n")
	for _, s := range c.steps {
		servers, nodes := s.servers.Seconds()*1000/float64(s.count), s.nodes.Seconds()*1000/float64(s.count)
		perWrite := ""
		if s.name == "delivery" {
			perWrite = fmt.Sprintf("%.3f", nodes/float64(writes*all))
		}
		fmt.Fprintf(w, "| %s | %d | %.3f | %.3f | %.3f | %s |\n", s.name, s.count, servers, nodes, servers+nodes, perWrite)
	}
	_, err := fmt.Fprintf(w, "\nIdle, taken off: servers %.0f, nodes %.0f core-milliseconds a second.\n", c.servers, c.nodes)
	return err
}
