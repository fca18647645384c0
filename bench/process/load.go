package process

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// Load makes the load of "popelago bench" on a server with some users.
type Load struct {
	Binary      string // the program
	Passwords   string // file, see WritePasswords
	First       int    // number of the first user; zero: 1
	Users       int
	Size        int // octets of a message
	Connections int
	// PerConnection is the count of messages after which a connection of deliveries is replaced; zero: never.
	PerConnection int
	// Check compares every retrieved message with the sent one.
	Check bool
	// Settle is the longest time after which the server lists what it has taken, and no longer lists what was removed.
	// Zero: the server does so at once, and Round does not look.
	Settle time.Duration
	// Used returns the time of processors that a server has used, with its nodes; nil: not measured.
	Used func(*Server) (time.Duration, error)
}

// Rates holds the measurements of one server, one value per round: deliveries, polls, messages retrieved and messages
// removed a second.
type Rates struct {
	Deliver, Poll, RETR, DELE []float64
	// Cost is empty without Load.Used.
	Cost Costs
}

// Costs holds the core-milliseconds of the server for each delivery, poll and message retrieved, one value per round.
type Costs struct{ Deliver, Poll, RETR []float64 }

// Round is the work of a round.
type Round struct {
	Messages int           // delivered, fetched and removed
	Passes   int           // how often they are fetched
	Poll     time.Duration // time for polls
}

// bench runs one command and returns the rate and the count of the row called row.
func (l *Load) bench(ctx context.Context, row string, args ...string) (perSecond float64, count int64, err error) {
	r, err := Bench(ctx, l.Binary, args...)
	if err != nil {
		return 0, 0, err
	}
	if r.Row(row).Count == 0 {
		return 0, 0, fmt.Errorf("popelago bench %s: nothing was done", strings.Join(args, " "))
	}
	return r.Row(row).PerSecond, r.Row(row).Count, nil
}

// deliver delivers count messages.
func (l *Load) deliver(ctx context.Context, s *Server, count int) (perSecond float64, n int64, err error) {
	return l.bench(ctx, "messages", "deliver", "--addr", s.LMTP, "--protocol", "lmtp", "--first-user", strconv.Itoa(max(1, l.First)), "--users", strconv.Itoa(l.Users),
		"--size", strconv.Itoa(l.Size), "--connections", strconv.Itoa(l.Connections), "--count", strconv.Itoa(count), "--per-connection", strconv.Itoa(l.PerConnection))
}

// settle waits until the server lists want messages.
func (l *Load) settle(ctx context.Context, s *Server, want int) error {
	if l.Settle == 0 {
		return nil
	}
	for start := time.Now(); ; {
		r, err := Bench(ctx, l.Binary, l.arguments(s, "poll", "--count", strconv.Itoa(l.Users))...)
		if err != nil {
			return err
		}
		n := r.Fact("messages listed")
		if n == int64(want) {
			return nil
		}
		if time.Since(start) > l.Settle {
			return fmt.Errorf("%s lists %d messages after %s, want %d", s.Name, n, l.Settle, want)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Second):
		}
	}
}

// arguments returns the arguments of a POP3 command for all users.
func (l *Load) arguments(s *Server, verb string, more ...string) []string {
	return append([]string{verb, "--addr", s.POP3, "--first-user", strconv.Itoa(max(1, l.First)), "--users", strconv.Itoa(l.Users), "--password-file", l.Passwords,
		"--connections", strconv.Itoa(l.Connections)}, more...)
}

// pop3 runs a POP3 command for all users.
func (l *Load) pop3(ctx context.Context, s *Server, row, verb string, more ...string) (perSecond float64, n int64, err error) {
	return l.bench(ctx, row, l.arguments(s, verb, more...)...)
}

// Round delivers messages, fetches all of them, removes all of them, delivers ten to each user, polls, and removes
// them. It appends the rates to r.
func (l *Load) Round(ctx context.Context, s *Server, set Round, r *Rates) error {
	const drained = "DELE+QUIT"
	var err error
	step := func(rate, cost *[]float64, run func() (float64, int64, error)) {
		if err != nil {
			return
		}
		var perSecond float64
		var n int64
		var used time.Duration
		used, err = l.used(s, func() (err error) {
			perSecond, n, err = run()
			return err
		})
		if err == nil {
			*rate = append(*rate, perSecond)
		}
		if err == nil && l.Used != nil {
			*cost = append(*cost, used.Seconds()*1000/float64(n))
		}
	}
	settle := func(want int) {
		if err == nil {
			err = l.settle(ctx, s, want)
		}
	}
	retrieve := []string{"--no-dele", "--passes", strconv.Itoa(set.Passes)}
	if l.Check {
		retrieve = append(retrieve, "--check")
	}
	var ignored []float64
	step(&r.Deliver, &r.Cost.Deliver, func() (float64, int64, error) { return l.deliver(ctx, s, set.Messages) })
	settle(set.Messages)
	// The first login of each user computes a hash.
	step(&ignored, &ignored, func() (float64, int64, error) {
		return l.pop3(ctx, s, "sessions", "poll", "--count", strconv.Itoa(l.Users))
	})
	step(&r.RETR, &r.Cost.RETR, func() (float64, int64, error) { return l.pop3(ctx, s, "RETR", "drain", retrieve...) })
	step(&r.DELE, &ignored, func() (float64, int64, error) { return l.pop3(ctx, s, drained, "drain", "--no-retr") })
	settle(0)
	step(&ignored, &ignored, func() (float64, int64, error) { return l.deliver(ctx, s, 10*l.Users) })
	settle(10 * l.Users)
	step(&r.Poll, &r.Cost.Poll, func() (float64, int64, error) {
		return l.pop3(ctx, s, "sessions", "poll", "--duration", set.Poll.String())
	})
	step(&ignored, &ignored, func() (float64, int64, error) { return l.pop3(ctx, s, drained, "drain", "--no-retr") })
	settle(0)
	return err
}

// used measures the server's time of processors during some work, if Used is set.
func (l *Load) used(s *Server, work func() error) (time.Duration, error) {
	if l.Used == nil {
		return 0, work()
	}
	before, err := l.Used(s)
	if err != nil {
		return 0, err
	}
	if err := work(); err != nil {
		return 0, err
	}
	after, err := l.Used(s)
	return after - before, err
}

// Sessions opens n POP3 sessions, logs in, and returns the server's memory while they are open.
func (l *Load) Sessions(ctx context.Context, s *Server, n int) (memory int64, err error) {
	cmd := exec.CommandContext(ctx, l.Binary, "bench", "idle", "--addr", s.POP3, "--users", strconv.Itoa(l.Users),
		"--password-file", l.Passwords, "--sessions", strconv.Itoa(n), "--hold", "3s")
	cmd.Stdout = io.Discard
	stderr, err := cmd.StderrPipe()
	if err != nil {
		return 0, err
	}
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	var said strings.Builder
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		fmt.Fprintln(&said, lines.Text())
		if lines.Text() == fmt.Sprintf("holding %d sessions", n) {
			time.Sleep(time.Second) // let the sessions come to rest
			if memory, err = s.Memory(); err != nil {
				break
			}
		}
	}
	if werr := cmd.Wait(); err == nil && werr != nil {
		err = fmt.Errorf("popelago bench idle: %w\n%s", werr, said.String())
	}
	if err == nil && memory == 0 {
		err = fmt.Errorf("popelago bench idle did not hold %d sessions:\n%s", n, said.String())
	}
	return memory, err
}
