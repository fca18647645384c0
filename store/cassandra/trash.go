package cassandra

import (
	"context"
	"fmt"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// emptyTrash works off the hours that are over, from where the last run came to, and once in a
// window the current one, too.
func (r *sweeper) emptyTrash(ctx context.Context) error {
	open := r.now.Sub(r.sweeping.open) >= r.cfg.Window
	var mine []trashPart
	for _, datacenter := range r.trashOf() {
		for shard := range trashShards {
			if r.Mine(trashName(datacenter, shard)) {
				mine = append(mine, trashPart{datacenter: datacenter, shard: shard})
			} else {
				r.report.Elsewhere++
			}
		}
	}
	if err := atOnce(ctx, parallelShards, mine, func(ctx context.Context, p trashPart) error {
		return r.emptyShard(ctx, p, open)
	}); err != nil {
		return err
	}
	if open {
		r.sweeping.open = r.now
	}
	return nil
}

// trashOf lists the datacenters whose trash the servers of this one work off.
func (s *engine) trashOf() []string {
	return append([]string{s.cfg.Datacenter}, s.cfg.WrittenOff...)
}

// trashName names a shard of the trash where progress is noted and work is shared.
func trashName(datacenter string, shard int) string {
	return fmt.Sprintf("trash/%s/%d", datacenter, shard)
}

// emptyShard works off the hours of one shard. Progress rises up to the first hour that is not
// complete; later hours are worked off all the same.
func (r *sweeper) emptyShard(ctx context.Context, p trashPart, open bool) error {
	name := trashName(p.datacenter, p.shard)
	if next, known := r.sweeping.nextOf(name); known && !open && endOf(next) > r.before {
		p.hour = next
		r.isBlocked(r.sweeping.hour(p).blocked)
		return nil // nothing is over that was not worked off
	}
	start, o, err := r.shardProgress(ctx, name)
	if o != nil || err != nil {
		return err
	}
	next := start
	done := true
	for p.hour = start; p.hour <= hourOf(r.before); p.hour++ {
		over := endOf(p.hour) <= r.before
		if !over && !open {
			r.isBlocked(r.sweeping.hour(p).blocked)
			break
		}
		complete, err := r.visitHour(ctx, p, over)
		if err != nil {
			return err
		}
		if done = done && complete && over; done {
			next = p.hour + 1
		}
	}
	if next > start {
		err := r.setProgress(ctx, name, next)
		if o, err := r.tally.failed(ctx, statement{}, err); o != nil || err != nil {
			return err
		}
	}
	p.hour = start
	r.sweeping.remember(p, next)
	return nil
}

// shardProgress is progress for which replicas that are away are only an obstacle.
func (r *sweeper) shardProgress(ctx context.Context, name string) (int, *obstacle, error) {
	start, err := r.progress(ctx, name)
	o, err := r.tally.failed(ctx, statement{}, err)
	if o != nil {
		r.isBlocked(1)
	}
	return start, o, err
}

// progress reads which hour of a shard comes next. Before the schema was made there was no trash.
func (r *sweeper) progress(ctx context.Context, name string) (int, error) {
	var position *int64
	if _, err := r.readOne(ctx, statement{
		cql: selectProgress, values: []any{name}, consistency: gocql.LocalQuorum, what: "sweep: read progress",
	}, &position); err != nil {
		return 0, err
	}
	if position != nil {
		return int(*position), nil
	}
	if r.sweeping.since.Load() == 0 {
		var first int64
		if err := r.readAll(ctx, statement{
			cql: fmt.Sprintf(selectVersions, r.cfg.Keyspace), consistency: gocql.LocalQuorum, what: "sweep: read the schema's age",
		}, 100, func(scan func(...any) error) error {
			var version int
			var applied int64
			err := scan(&version, &applied)
			if first == 0 || applied < first {
				first = applied
			}
			return err
		}); err != nil {
			return 0, err
		}
		r.sweeping.since.Store(first)
	}
	const skew = time.Hour // of the clock of whoever applied the schema
	return hourOf(r.sweeping.since.Load() - skew.Microseconds()), nil
}

// setProgress notes which hour comes next, with the hour as timestamp, so that it only rises.
func (r *sweeper) setProgress(ctx context.Context, name string, position int) error {
	return r.exec(ctx, statement{
		cql: insertProgress, values: []any{name, int64(position), int64(position)}, consistency: gocql.LocalQuorum,
		what: "sweep: note progress",
	})
}
