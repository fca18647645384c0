package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strconv"
	"strings"
	"time"

	"popelago/bench/process"
)

// load runs "popelago bench".
type load struct {
	binary    string
	passwords string // file
}

// bench runs one command and returns the rate of the row called row.
func (l *load) bench(ctx context.Context, row string, args ...string) (perSecond float64, err error) {
	r, err := process.Bench(ctx, l.binary, args...)
	if err != nil {
		return 0, err
	}
	if r.Row(row).Count == 0 {
		return 0, fmt.Errorf("popelago bench %s: nothing was done", strings.Join(args, " "))
	}
	return r.Row(row).PerSecond, nil
}

// deliver delivers count messages.
func (l *load) deliver(ctx context.Context, s *process.Server, count int) (float64, error) {
	return l.bench(ctx, "messages", "deliver", "--addr", s.LMTP, "--protocol", "lmtp", "--users", strconv.Itoa(users),
		"--size", strconv.Itoa(size), "--connections", strconv.Itoa(connections), "--count", strconv.Itoa(count))
}

// pop3 runs a POP3 command for all users.
func (l *load) pop3(ctx context.Context, s *process.Server, row, verb string, more ...string) (float64, error) {
	args := append([]string{verb, "--addr", s.POP3, "--users", strconv.Itoa(users), "--password-file", l.passwords,
		"--connections", strconv.Itoa(connections)}, more...)
	return l.bench(ctx, row, args...)
}

// round runs one round and appends its rates to r.
func (l *load) round(ctx context.Context, s *process.Server, set settings, r *rates) error {
	const drained = "DELE+QUIT"
	var err error
	step := func(into *[]float64, run func() (float64, error)) {
		if err == nil {
			var perSecond float64
			perSecond, err = run()
			*into = append(*into, perSecond)
		}
	}
	var ignored []float64
	step(&r.deliver, func() (float64, error) { return l.deliver(ctx, s, set.messages) })
	step(&r.retr, func() (float64, error) {
		return l.pop3(ctx, s, "RETR", "drain", "--no-dele", "--passes", strconv.Itoa(set.passes))
	})
	step(&r.dele, func() (float64, error) { return l.pop3(ctx, s, drained, "drain", "--no-retr") })
	step(&ignored, func() (float64, error) { return l.deliver(ctx, s, 10*users) })
	step(&r.poll, func() (float64, error) {
		return l.pop3(ctx, s, "sessions", "poll", "--duration", set.poll.String())
	})
	step(&ignored, func() (float64, error) { return l.pop3(ctx, s, drained, "drain", "--no-retr") })
	return err
}

// sessions opens n POP3 sessions, logs in, and returns the server's memory while they are open.
func (l *load) sessions(ctx context.Context, s *process.Server, n int) (memory int64, err error) {
	cmd := exec.CommandContext(ctx, l.binary, "bench", "idle", "--addr", s.POP3, "--users", strconv.Itoa(users),
		"--password-file", l.passwords, "--sessions", strconv.Itoa(n), "--hold", "3s")
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
