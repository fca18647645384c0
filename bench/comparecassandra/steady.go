package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/bench/process"
)

// steadyMessages is the count of messages that the users get each minute of a steady time.
const steadyMessages = 50 * users

// steady measures a server for a long time, with as much removed as delivered.
func steady(ctx context.Context, l *lab) error {
	if len(l.servers) != 1 {
		return errors.New("steady: want one datacenter")
	}
	set := process.Steady{Length: l.settings.length, Every: process.SteadyEvery}
	if err := set.Validate(); err != nil {
		return err
	}
	if err := l.warmUp(ctx); err != nil {
		return err
	}
	if err := process.AddUsers(ctx, l.binary, l.data(0), users+1, l.settings.users); err != nil {
		return err
	}
	if err := process.WritePasswords(l.passwords(), l.settings.users); err != nil {
		return err
	}
	s, err := l.cluster.Nodes[0].Session(time.Minute)
	if err != nil {
		return err
	}
	defer s.Close()
	look := func() (state process.State, err error) {
		if err := s.Query("SELECT COUNT(*) FROM popelago.trash").ScanContext(ctx, &state.Waiting); err != nil {
			process.Note("the trash cannot be counted: %v", err) // so many tombstones that a busy node gives up
			state.Waiting = -1
		}
		if state.Skipped, err = skipped(ctx, s); err != nil {
			return state, err
		}
		state.Octets, err = process.OctetsIn(filepath.Join(l.dir, "cluster"))
		return state, err
	}
	used := func(*process.Server) (time.Duration, error) {
		servers, nodes, err := l.cpu()
		return servers + nodes, err
	}
	load := &process.Load{Binary: l.binary, Passwords: l.passwords(), Users: l.settings.users, Size: size, Connections: connections, Used: used}
	round := process.Round{Messages: steadyMessages, Passes: 1, Poll: 10 * time.Second}
	parts, err := process.MeasureSteady(ctx, l.servers[0], set,
		func(r *process.Rates) error { return load.Round(ctx, l.servers[0], round, r) }, look)
	err = errors.Join(err, process.WriteSteady(os.Stdout, parts))
	fmt.Printf("%s; medians of a round each %v, %d messages of %d octets a round, %d users, %d connections.\n",
		l.where(), process.SteadyEvery, round.Messages, size, l.settings.users, connections)
	return err
}

// skipped returns how many tombstones a read of a mailbox skips, the median of the node's last reads.
func skipped(ctx context.Context, s *gocql.Session) (median int64, err error) {
	err = s.Query("SELECT CAST(p50th AS bigint) FROM system_views.tombstones_per_read WHERE keyspace_name = 'popelago' AND table_name = 'mailbox'").
		ScanContext(ctx, &median)
	return median, err
}
