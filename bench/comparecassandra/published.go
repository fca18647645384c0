package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"popelago/bench"
	"popelago/bench/process"
	"popelago/cassandratest"
)

// outcome is the result of the published scenario.
type outcome struct {
	delivered, listed, removed bench.Row
	inTime                     []int64       // messages in the first STAT of all users, by datacenter
	wait                       time.Duration // until all were listed everywhere
	gone                       time.Duration // until none was listed any more
	checked                    *bench.Findings
}

// published runs the published scenario through all datacenters.
func published(ctx context.Context, l *lab) error {
	if err := l.warmUp(ctx); err != nil {
		return err
	}
	var o outcome
	journal := filepath.Join(l.dir, "journal")
	each := float64(rate) / float64(len(l.servers))
	count := int(each * l.settings.length.Seconds())
	process.Note("delivering %d messages a second for %s", rate, l.settings.length)
	reports, err := l.everywhere(ctx, func(_ int, s *process.Server) []string {
		return l.deliver(s, "--rate", fmt.Sprint(each), "--count", strconv.Itoa(count), "--journal", journal)
	})
	if err != nil {
		return err
	}
	o.delivered = sum(reports, "messages")

	process.Note("listing by STAT")
	start := time.Now()
	var polls []bench.Report
	for i := range l.servers {
		for first := true; ; first = false {
			r, err := l.poll(ctx, i)
			if err != nil {
				return err
			}
			n := r.Fact("messages listed")
			if first {
				o.inTime = append(o.inTime, n)
				polls = append(polls, r)
			}
			if n == o.delivered.Count {
				break
			}
			if err := stillTime(ctx, start, fmt.Sprintf("%s lists %d of %d messages", l.servers[i].Name, n, o.delivered.Count)); err != nil {
				return err
			}
		}
	}
	o.wait, o.listed = time.Since(start), sum(polls, "sessions")

	process.Note("checking every message")
	if o.checked, err = l.verify(ctx, journal); err != nil {
		return err
	}
	process.Note("removing all")
	share := users / len(l.servers)
	reports, err = l.everywhere(ctx, func(i int, s *process.Server) []string {
		mine := share
		if i == len(l.servers)-1 {
			mine = users - i*share
		}
		return l.pop3(s, "drain", "--no-retr", "--journal", journal, "--first-user", strconv.Itoa(1+i*share), "--users", strconv.Itoa(mine))
	})
	if err != nil {
		return err
	}
	o.removed = sum(reports, "DELE+QUIT")
	start = time.Now()
	for i := range l.servers {
		for {
			r, err := l.poll(ctx, i)
			if err != nil {
				return err
			}
			n := r.Fact("messages listed")
			if n == 0 {
				break
			}
			if err := stillTime(ctx, start, fmt.Sprintf("%s lists %d messages after all were removed", l.servers[i].Name, n)); err != nil {
				return err
			}
		}
	}
	o.gone = time.Since(start)
	if _, err := l.verify(ctx, journal); err != nil {
		return err
	}
	if err := cassandratest.Uncoordinated(l.cluster); err != nil {
		return err
	}
	return o.write(os.Stdout, l)
}

// stillTime waits a little. It returns an error with why if two minutes have passed since start.
func stillTime(ctx context.Context, start time.Time, why string) error {
	if time.Since(start) > 2*time.Minute {
		return errors.New(why)
	}
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(100 * time.Millisecond):
		return nil
	}
}

// verify checks all maildrops against the journal, at the server of the last datacenter.
func (l *lab) verify(ctx context.Context, journal string) (*bench.Findings, error) {
	r, err := process.Bench(ctx, l.binary, l.pop3(l.servers[len(l.servers)-1], "verify", "--journal", journal)...)
	return r.Findings, err
}

// write prints the table.
func (o *outcome) write(w io.Writer, l *lab) error {
	fmt.Fprintf(w, "%s; %d messages/s of %d octets for %s, %d users\n\n", l.where(), rate, size, l.settings.length, users)
	fmt.Fprintf(w, "| step | result |\n|---|---|\n")
	fmt.Fprintf(w, "| delivered | %d, %.1f/s, 0 errors; %s |\n", o.delivered.Count, o.delivered.PerSecond, latency(o.delivered))
	for i, n := range o.inTime {
		fmt.Fprintf(w, "| listed by the first STAT of each user in %s | %d |\n", l.settings.datacenters[i].Name, n)
	}
	fmt.Fprintf(w, "| all listed everywhere | within %s |\n", o.wait.Round(time.Millisecond))
	fmt.Fprintf(w, "| sessions with STAT | %s |\n", latency(o.listed))
	fmt.Fprintf(w, "| compared octet by octet | %d messages, %d violations |\n", o.checked.Messages, o.checked.Failures())
	fmt.Fprintf(w, "| DELE + QUIT | %d, %.0f/s, 0 errors |\n", o.removed.Count, o.removed.PerSecond)
	fmt.Fprintf(w, "| listed afterwards, anywhere | 0, within %s |\n", o.gone.Round(time.Millisecond))
	_, err := fmt.Fprintln(w, "| rows in system.paxos | 0 |") // rows would have ended the run before
	return err
}

// latency is a row's latencies as text.
func latency(r bench.Row) string {
	return fmt.Sprintf("p50 %.1f ms, p99 %.1f ms, at most %.0f ms", r.P50, r.P99, r.Max)
}
