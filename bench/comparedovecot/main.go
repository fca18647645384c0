// Command comparedovecot measures Popelago and Dovecot on the same machine, with the same load, one
// after the other, and prints one table. bench/compare-dovecot runs it.
//
// Both servers have their most durable settings (Dovecot: maildir with mail_fsync=always), on the
// same file system, with 80 users. Dovecot reuses its login, POP3 and LMTP processes. "popelago
// bench", in a separate process, makes the load.
//
// One round on one server: deliver messages of 8 KiB by LMTP over 16 connections; fetch all of them
// several times, pipelined; remove all of them; deliver ten to each user and poll. Rounds alternate
// between the servers, and the second server of a round is the first of the next.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"popelago/bench/process"
)

// settings are the command's flags.
type settings struct {
	dir      string
	rounds   int
	messages int           // delivered, fetched and removed in one round
	passes   int           // how often they are fetched
	poll     time.Duration // time for polls in one round
	sessions int           // open at once, for the memory
	engine   time.Duration // how long to run the engine alone
	extra    string        // more lines for Dovecot's configuration
	keep     bool
}

const (
	users       = 80
	connections = 16
	size        = 8192
)

func main() {
	var s settings
	var quick bool
	flag.StringVar(&s.dir, "dir", "", "make the temporary folder in this one: its disk is what is measured")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds on each server")
	flag.IntVar(&s.messages, "messages", 24_000, "messages in a round")
	flag.IntVar(&s.sessions, "sessions", 5_000, "open sessions, for the memory")
	flag.StringVar(&s.extra, "dovecot-extra", "", "file with more settings for Dovecot")
	flag.BoolVar(&s.keep, "keep", false, "leave the temporary folder, with logs and configurations")
	flag.BoolVar(&quick, "quick", false, "one short round")
	flag.Parse()
	s.passes, s.poll, s.engine = 10, 10*time.Second, 5*time.Second
	if quick {
		s.rounds, s.messages, s.passes, s.poll, s.engine = 1, 4_000, 3, 3*time.Second, 2*time.Second
	}
	process.Main("compare-dovecot", func(ctx context.Context) error { return compare(ctx, s) })
}

// compare does everything and leaves nothing running.
func compare(ctx context.Context, s settings) error {
	if flag.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	}
	if os.Geteuid() != 0 {
		return errors.New("only root can start Dovecot: run this as root")
	}
	return process.InFolder(s.dir, "compare-dovecot", s.keep, func(dir string) error { return compareIn(ctx, dir, s) })
}

// compareIn is compare with all files in dir.
func compareIn(ctx context.Context, dir string, s settings) (err error) {
	// Dovecot's processes run as several users, who all need access.
	if err := os.Chmod(dir, 0o755); err != nil {
		return err
	}
	if onTmpfs(dir) {
		fmt.Fprintf(os.Stderr, "warning: %s is in memory, where making mail durable costs nothing; use --dir\n", dir)
	}

	binary, err := process.Build(ctx, dir)
	if err != nil {
		return err
	}
	engine := filepath.Join(dir, "engine.test")
	if err := buildEngine(ctx, engine); err != nil {
		return err
	}
	load := &process.Load{Binary: binary, Passwords: filepath.Join(dir, "passwords"), Users: users, Size: size, Connections: connections, Used: (*process.Server).CPU}
	if err := process.WritePasswords(load.Passwords, users); err != nil {
		return err
	}
	dovecot, err := startDovecot(ctx, filepath.Join(dir, "dovecot"), s)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, dovecot.Stop()) }()
	popelago, err := process.NewPopelago(ctx, filepath.Join(dir, "store"), binary, users)
	if err != nil {
		return err
	}
	ours := &popelago.Server
	if err := popelago.Serve(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()

	var r results
	if r.idleMemory, err = ours.Memory(); err != nil {
		return err
	}
	order := []*process.Server{dovecot, ours}
	for round := range s.rounds {
		for _, server := range order {
			process.Note("round %d of %d: %s", round+1, s.rounds, server.Name)
			if err := load.Round(ctx, server, process.Round{Messages: s.messages, Passes: s.passes, Poll: s.poll}, r.of(server)); err != nil {
				return err
			}
		}
		process.Note("round %d of %d: the engine alone", round+1, s.rounds)
		perSecond, err := engineAlone(ctx, engine, dir, s.engine)
		if err != nil {
			return err
		}
		r.engine = append(r.engine, perSecond)
		order[0], order[1] = order[1], order[0]
	}
	if r.usedMemory, err = ours.Memory(); err != nil {
		return err
	}
	process.Note("%d sessions", s.sessions)
	if r.sessionMemory, err = load.Sessions(ctx, ours, s.sessions); err != nil {
		return err
	}
	return r.write(os.Stdout, s)
}

// tmpfsMagic is the type of a tmpfs in statfs(2).
const tmpfsMagic = 0x01021994

// onTmpfs reports whether dir is in memory.
func onTmpfs(dir string) bool {
	var st syscall.Statfs_t
	return syscall.Statfs(dir, &st) == nil && st.Type == tmpfsMagic
}
