package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
	"golang.org/x/sync/errgroup"

	"popelago/bench/process"
)

// Constants of the rows of other maildrops.
const (
	fillMailboxes = 100_000
	fillBatch     = 100 // rows of one maildrop in a statement
	fillWriters   = 16
	fillSize      = 1024 // octets of a message, whose content is missing
	// fillOldest is the age of the first row; the others follow, fillStep apart.
	fillOldest, fillStep = 20 * 24 * time.Hour, time.Millisecond
)

// fillRow writes a row as a delivery does: with the time of the message.
const fillRow = `INSERT INTO popelago.mailbox (mailbox, segment, message, size, recipient) VALUES (?, 0, ?, ?, ?) USING TIMESTAMP ?`

// fill measures the server beside more and more rows of other maildrops. The rows are written past the server, without
// content. Each measurement has users of its own, whose maildrops have no traces of removed messages, and begins when the
// node has compacted the new rows.
func fill(ctx context.Context, l *lab) error {
	if len(l.servers) != 1 {
		return errors.New("fill: want one datacenter")
	}
	if err := l.warmUp(ctx); err != nil {
		return err
	}
	server := l.servers[0]
	last := users * len(process.FillParts)
	if err := process.AddUsers(ctx, l.binary, l.data(0), users+1, last); err != nil {
		return err
	}
	if err := process.WritePasswords(l.passwords(), last); err != nil {
		return err
	}
	load := &process.Load{Binary: l.binary, Passwords: l.passwords(), Users: users, Size: size, Connections: connections}
	round := process.Round{Messages: 50 * users, Passes: 1, Poll: l.settings.duration}
	began := time.Now().Add(-fillOldest)
	var all []process.Filled
	stored := 0
	for i, part := range process.FillParts {
		load.First = 1 + i*users
		want := l.settings.rows / 100 * part
		process.Note("%d rows", want)
		start := time.Now()
		if err := l.addRows(ctx, began, stored, want); err != nil {
			return err
		}
		process.Note("filled in %v", time.Since(start).Round(time.Second))
		stored = want
		if err := l.settle(ctx); err != nil {
			return err
		}
		process.Note("compacted after %v", time.Since(start).Round(time.Second))
		octets, err := process.OctetsIn(filepath.Join(l.dir, "cluster"))
		if err != nil {
			return err
		}
		if err := server.Stop(); err != nil {
			return err
		}
		f, err := process.MeasureFilled(server, l.settings.rounds,
			func() error { return server.Start(ctx, l.binary, "serve", "--config", l.data(0)+".toml") },
			func(r *process.Rates) error { return load.Round(ctx, server, round, r) })
		if err != nil {
			return err
		}
		f.Messages, f.Octets = want, octets
		all = append(all, f)
	}
	if err := process.WriteFilled(os.Stdout, all); err != nil {
		return err
	}
	_, err := fmt.Printf("%s; medians of %d rounds, %d messages of %d octets a round, %d users, %d connections.\n",
		l.where(), l.settings.rounds, round.Messages, size, users, connections)
	return err
}

// calm is how long a node must compact nothing.
const calm = 10 * time.Second

// flush writes the rows in the memory of the first node to its disk.
func (l *lab) flush(ctx context.Context) error {
	flush, err := l.cluster.Nodes[0].Nodetool(ctx, "flush")
	if err != nil {
		return err
	}
	if said, err := flush.CombinedOutput(); err != nil {
		return fmt.Errorf("nodetool flush: %w\n%s", err, said)
	}
	return nil
}

// settle flushes the first node, and waits until the node compacts nothing for a while.
func (l *lab) settle(ctx context.Context) error {
	if err := l.flush(ctx); err != nil {
		return err
	}
	n := l.cluster.Nodes[0]
	s, err := n.Session(time.Minute)
	if err != nil {
		return err
	}
	defer s.Close()
	for since := time.Now(); time.Since(since) < calm; {
		var active, pending int
		err := s.Query("SELECT active_tasks, pending_tasks FROM system_views.thread_pools WHERE name = 'CompactionExecutor'").ScanContext(ctx, &active, &pending)
		if err != nil {
			return fmt.Errorf("look at compactions: %w", err)
		}
		if active+pending > 0 {
			since = time.Now()
		}
		if !pause(ctx, time.Second) {
			return ctx.Err()
		}
	}
	return nil
}

// addRows writes the rows from, from+1 and so on up to before to.
func (l *lab) addRows(ctx context.Context, began time.Time, from, to int) error {
	s, err := l.cluster.Nodes[0].Session(time.Minute)
	if err != nil {
		return err
	}
	defer s.Close()
	writers, ctx := errgroup.WithContext(ctx)
	writers.SetLimit(fillWriters)
	for at := from; at < to && ctx.Err() == nil; at += fillBatch {
		writers.Go(func() error { return addBatch(ctx, s, began, at, min(at+fillBatch, to)) })
	}
	return writers.Wait()
}

// addBatch writes rows of one maildrop.
func addBatch(ctx context.Context, s *gocql.Session, began time.Time, from, to int) error {
	number := from / fillBatch % fillMailboxes
	mailbox := gocql.UUID{0: 0xf1, 8: 0x80, 13: byte(number >> 16), 14: byte(number >> 8), 15: byte(number)}
	batch := s.Batch(gocql.UnloggedBatch)
	for n := from; n < to; n++ {
		at := began.Add(time.Duration(n) * fillStep)
		batch.Query(fillRow, mailbox, gocql.UUIDFromTime(at), int64(fillSize), fmt.Sprintf("other%d@example.test", number), at.UnixMicro())
	}
	for try := 0; ; try++ {
		err := batch.ExecContext(ctx)
		if err == nil || try == 10 || ctx.Err() != nil {
			return err
		}
		time.Sleep(time.Second) // compaction may hold the node up
	}
}
