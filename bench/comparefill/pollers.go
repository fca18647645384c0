package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"time"

	"github.com/go-crypt/crypt/algorithm/argon2"
	"golang.org/x/sync/errgroup"

	"popelago/bench/process"
	"popelago/mail"
	"popelago/store"
	"popelago/store/embedded"
)

// pollersConf lets the server remember the password of every account. The verb is the count of accounts.
const pollersConf = `[auth]
credential_cache_size = %d
credential_cache_ttl = "24h"
`

// pollerPassword is the password of all pollers.
const pollerPassword = "secret of the pollers"

// polled is what was measured with a count of accounts that poll.
type polled struct {
	accounts    int
	first, next rate  // the first poll of each account, and the second
	memory      int64 // of the server after both, octets
}

// rate is a rate with its cost.
type rate struct {
	perSecond float64
	cost      float64 // core-milliseconds of the server for each poll
}

// pollers lets more and more accounts poll, each twice.
func pollers(ctx context.Context, server *process.Popelago, s settings, binary string) (err error) {
	process.Note("making %d accounts", s.pollers)
	if err := addPollers(ctx, server.Data, s.pollers); err != nil {
		return err
	}
	passwords := filepath.Join(filepath.Dir(server.Data), "pollers")
	if err := writePollers(passwords, s.pollers); err != nil {
		return err
	}
	if err := server.Configure(fmt.Sprintf(pollersConf, s.pollers)); err != nil {
		return err
	}
	var all []polled
	for _, part := range process.FillParts[1:] {
		p := polled{accounts: s.pollers / 100 * part}
		process.Note("%d accounts poll", p.accounts)
		if err := pollTwice(ctx, server, binary, passwords, &p); err != nil {
			return err
		}
		all = append(all, p)
	}
	return writePolled(os.Stdout, all)
}

// pollTwice starts the server, lets accounts poll, and stops the server.
func pollTwice(ctx context.Context, server *process.Popelago, binary, passwords string, p *polled) (err error) {
	if err := server.Serve(ctx); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.Stop()) }()
	for _, into := range []*rate{&p.first, &p.next} {
		before, err := server.CPU()
		if err != nil {
			return err
		}
		r, err := process.Bench(ctx, binary, "poll", "--addr", server.POP3, "--users", strconv.Itoa(p.accounts), "--password-file", passwords,
			"--connections", strconv.Itoa(connections), "--count", strconv.Itoa(p.accounts))
		if err != nil {
			return err
		}
		after, err := server.CPU()
		if err != nil {
			return err
		}
		row := r.Row("sessions")
		*into = rate{row.PerSecond, (after - before).Seconds() * 1000 / float64(row.Count)}
	}
	p.memory, err = server.Memory()
	return err
}

// addPollers makes accounts whose hash costs little: only what follows is measured.
func addPollers(ctx context.Context, dir string, n int) (err error) {
	hasher, err := argon2.New(argon2.WithVariantID(), argon2.WithMemoryInKiB(8), argon2.WithIterations(1), argon2.WithParallelism(1))
	if err != nil {
		return err
	}
	digest, err := hasher.Hash(pollerPassword)
	if err != nil {
		return err
	}
	hash := digest.Encode()
	st, err := embedded.Open(embedded.Config{Dir: dir})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(128 * runtime.NumCPU())
	for i := range n {
		writers.Go(func() error {
			a, err := mail.ParseAddress(process.User(i + 1))
			if err != nil {
				return err
			}
			return st.ChangeAddress(ctx, a, mail.MessageID{}, store.AddressChange{
				Kind: new(store.KindAccount), State: new(store.StateEnabled), Password: &hash, Created: new(time.Now().Truncate(time.Microsecond)),
			})
		})
	}
	return writers.Wait()
}

// writePollers writes the password file of n accounts for "popelago bench".
func writePollers(path string, n int) (err error) {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	w := bufio.NewWriter(file)
	for i := range n {
		fmt.Fprintf(w, "%s %s\n", process.User(i+1), pollerPassword)
	}
	return w.Flush()
}

// writePolled prints the results as a table in Markdown.
func writePolled(w io.Writer, all []polled) error {
	fmt.Fprintln(w, "| accounts that poll | first polls/s | core-milliseconds for each | second polls/s | core-milliseconds for each | memory of the server, MiB |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|")
	for _, p := range all {
		fmt.Fprintf(w, "| %d | %.0f | %.3f | %.0f | %.3f | %d |\n", p.accounts, p.first.perSecond, p.first.cost, p.next.perSecond, p.next.cost, p.memory>>20)
	}
	_, err := fmt.Fprintf(w, "\n%d connections; the first poll of each account computes a cheap hash.\n", connections)
	return err
}
