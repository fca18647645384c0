// Command comparefill measures an embedded store that is empty, and the same store with more and more messages of other
// accounts. bench/compare-fill runs it.
//
// Before each measurement the command fills the data folder of a stopped server directly: messages of 1 KiB for 100,000
// accounts. Then it drops the page cache, if it may, and starts the server. One round delivers messages of 8 KiB to 80
// users, fetches all of them, removes them, delivers ten to each user and polls. The first round is not counted.
//
// With --steady the command measures the same store, without other messages, for a long time: a round each minute. With
// --pollers it makes many accounts, and lets each poll twice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"popelago/bench/process"
	"popelago/mail"
)

// settings are the command's flags.
type settings struct {
	dir      string
	messages int // in the full store
	rounds   int
	round    process.Round
	steady   time.Duration // zero: no steady time
	pollers  int           // accounts that poll; zero: none
	keep     bool
}

func (s *settings) steadyTime() process.Steady {
	return process.Steady{Length: s.steady, Every: process.SteadyEvery}
}

const (
	users       = 80
	connections = 16
	size        = 8192
	others      = 100_000 // accounts of the stored messages
)

func main() {
	var s settings
	flag.StringVar(&s.dir, "dir", "", "make the temporary folder in this one: its disk is what is measured")
	flag.IntVar(&s.messages, "messages", 10_000_000, "messages in the full store; ten million need 25 GB")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds at each measurement")
	flag.IntVar(&s.round.Messages, "round-messages", 16_000, "messages in a round")
	flag.DurationVar(&s.round.Poll, "poll", 5*time.Second, "time for polls in a round")
	flag.DurationVar(&s.steady, "steady", 0, "instead of filling, make a round each minute for this time, such as 2h")
	flag.IntVar(&s.pollers, "pollers", 0, "instead of filling, let this many accounts poll, such as 1000000")
	flag.BoolVar(&s.keep, "keep", false, "leave the temporary folder, with the log and the configuration")
	flag.Parse()
	s.round.Passes = 1
	process.Main("compare-fill", func(ctx context.Context) error { return compare(ctx, s) })
}

// compare does everything and leaves nothing running.
func compare(ctx context.Context, s settings) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if s.messages < 100 || s.rounds < 1 || s.round.Messages < users || s.round.Poll <= 0 || s.steady < 0 {
		return errors.New("messages, rounds, round-messages, poll, steady: want at least 100, 1, 80, and positive durations")
	}
	if s.steady > 0 && s.pollers > 0 {
		return errors.New("steady, pollers: want one of them")
	}
	if s.steady > 0 {
		if err := s.steadyTime().Validate(); err != nil {
			return err
		}
	}
	if s.pollers != 0 && s.pollers < 100*users {
		return fmt.Errorf("pollers: want at least %d", 100*users)
	}
	return process.InFolder(s.dir, "compare-fill", s.keep, func(dir string) error { return compareIn(ctx, dir, s) })
}

// compareIn is compare with all files in dir.
func compareIn(ctx context.Context, dir string, s settings) error {
	binary, err := process.Build(ctx, dir)
	if err != nil {
		return err
	}
	load := &process.Load{Binary: binary, Passwords: filepath.Join(dir, "passwords"), Users: users, Size: size, Connections: connections}
	if err := process.WritePasswords(load.Passwords, users); err != nil {
		return err
	}
	server, err := process.NewPopelago(ctx, filepath.Join(dir, "store"), binary, users)
	if err != nil {
		return err
	}
	if s.steady > 0 {
		return steady(ctx, server, load, s)
	}
	if s.pollers > 0 {
		return pollers(ctx, server, s, binary)
	}
	f := &filling{dir: server.Data, accounts: others, ids: mail.NewIDSource(nil)}
	var all []process.Filled
	stored := 0
	for _, part := range process.FillParts {
		want := s.messages / 100 * part
		process.Note("%d messages", want)
		began := time.Now()
		if err := f.add(ctx, stored, want); err != nil {
			return err
		}
		process.Note("filled in %v", time.Since(began).Round(time.Second))
		stored = want
		m, err := measure(ctx, server, load, s)
		if err != nil {
			return err
		}
		m.Messages = want
		all = append(all, m)
	}
	return write(os.Stdout, s, all)
}

// steady starts the server, makes rounds for a long time, and stops the server.
func steady(ctx context.Context, server *process.Popelago, load *process.Load, s settings) (err error) {
	if err := server.Serve(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	load.Used = (*process.Server).CPU
	parts, err := process.MeasureSteady(ctx, &server.Server, s.steadyTime(),
		func(r *process.Rates) error { return load.Round(ctx, &server.Server, s.round, r) },
		func() (process.State, error) {
			octets, err := process.OctetsIn(server.Data)
			return process.State{Octets: octets, Waiting: -1, Skipped: -1}, err
		})
	err = errors.Join(err, process.WriteSteady(os.Stdout, parts))
	fmt.Printf("Medians of a round each %v, %d messages of %d octets a round, %d users, %d connections.\n", process.SteadyEvery, s.round.Messages, size, users, connections)
	return err
}

// measure starts the server, measures, and stops the server.
func measure(ctx context.Context, server *process.Popelago, load *process.Load, s settings) (m process.Filled, err error) {
	octets, err := process.OctetsIn(server.Data)
	if err != nil {
		return m, err
	}
	if err := dropCache(); err != nil {
		process.Note("warning: the start reads from the page cache: %v", err)
	}
	m, err = process.MeasureFilled(&server.Server, s.rounds,
		func() error { return server.Serve(ctx) },
		func(r *process.Rates) error { return load.Round(ctx, &server.Server, s.round, r) })
	m.Octets = octets
	return m, errors.Join(err, server.Stop())
}

// write prints the results.
func write(w io.Writer, s settings, all []process.Filled) error {
	if err := process.WriteFilled(w, all); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "Medians of %d rounds, %d messages of %d octets a round, %d users, %d connections.\n", s.rounds, s.round.Messages, size, users, connections)
	return err
}

// dropCache makes Linux forget the files that it has read. Only root may.
func dropCache() error {
	syscall.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("3"), 0)
}
