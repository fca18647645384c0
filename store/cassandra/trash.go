package cassandra

import (
	"context"
	"fmt"
	"strconv"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// trashRun sweeps the trash.
type trashRun struct {
	*sweepRun
	// next, if not 0, is the next hour of the shard to be swept: removals from this hour on have a row in their own hour, see
	// removalTime, and stay until then.
	next int
}

// emptyTrash sweeps the hours that are over, from the position of the last run, and once in a window
// also the current hour.
func (r *trashRun) emptyTrash(ctx context.Context) error {
	open := r.now.Sub(r.state.open) >= r.cfg.Window
	if open {
		if o, err := r.tally.failed(ctx, statement{}, r.noteDatacenters(ctx)); err != nil {
			return err
		} else if o != nil {
			r.addBlocked(1)
		}
	}
	var mine []trashPart
	for _, datacenter := range r.cfg.sweptDatacenters() {
		for shard := range trashShards {
			if r.Mine(trashName(datacenter, shard)) {
				mine = append(mine, trashPart{datacenter: datacenter, shard: shard})
			} else {
				r.report.Elsewhere++
			}
		}
	}
	r.remaining = len(mine)
	if err := atOnce(ctx, parallelShards, mine, func(ctx context.Context, p trashPart) error {
		err := r.emptyShard(ctx, p, open)
		r.mu.Lock()
		defer r.mu.Unlock()
		r.remaining--
		r.showLocked(ctx)
		return err
	}); err != nil {
		return err
	}
	if open {
		r.state.open = r.now
	}
	return nil
}

// sweptDatacenters lists the datacenters whose trash the servers of this datacenter sweep.
func (c Config) sweptDatacenters() []string {
	return append([]string{c.Datacenter}, c.WrittenOff...)
}

// trashName names a shard of the trash, for the table progress and for sharing work.
func trashName(datacenter string, shard int) string {
	return "trash/" + datacenter + "/" + strconv.Itoa(shard)
}

// emptyShard sweeps the hours of one shard. Progress rises up to the first incomplete hour; later hours
// are swept all the same. Progress that cannot be noted ends the work on the shard until the next run.
func (r *trashRun) emptyShard(ctx context.Context, p trashPart, open bool) error {
	name := trashName(p.datacenter, p.shard)
	if next, known := r.state.nextOf(name); known && !open && endOf(next) > r.before {
		p.hour = next
		r.addBlocked(r.state.hour(p).blocked)
		return nil // all hours that are over were swept
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
			r.addBlocked(r.state.hour(p).blocked)
			break
		}
		complete, err := r.visitHour(ctx, p, over)
		if err != nil {
			return err
		}
		if done = done && complete && over; done {
			next = p.hour + 1
		}
		if next-start < noteHours {
			continue
		}
		if o, err := r.raiseProgress(ctx, p, start, next); o != nil || err != nil {
			return err
		}
		start = next
	}
	_, err = r.raiseProgress(ctx, p, start, next)
	return err
}

// noteHours is the count of hours after which the progress of a shard is noted before its end, so that an
// error in a later hour does not lose the progress.
const noteHours = 200

// raiseProgress notes that the hours of the shard of p from start up to next are swept.
func (r *trashRun) raiseProgress(ctx context.Context, p trashPart, start, next int) (*obstacle, error) {
	if next > start {
		err := r.setProgress(ctx, trashName(p.datacenter, p.shard), next)
		if o, err := r.tally.failed(ctx, statement{}, err); o != nil || err != nil {
			return o, err
		}
	}
	p.hour = start
	r.state.remember(p, next)
	return nil, nil
}

// shardProgress is progress with missing replicas reported as an obstacle.
func (r *sweepRun) shardProgress(ctx context.Context, name string) (int, *obstacle, error) {
	start, err := r.progress(ctx, name)
	o, err := r.tally.failed(ctx, statement{}, err)
	if o != nil {
		r.addBlocked(1)
	}
	return start, o, err
}

// progress reads the next hour of a shard to be swept. The first is the hour in which the schema was
// made.
func (r *sweepRun) progress(ctx context.Context, name string) (int, error) {
	var position *int64
	if _, err := r.run.readOne(ctx, statement{
		cql: selectProgress, values: []any{name}, consistency: gocql.LocalQuorum, what: "sweep: read progress",
	}, &position); err != nil {
		return 0, err
	}
	if position != nil {
		return int(*position), nil
	}
	if r.state.since.Load() == 0 {
		var first int64
		if err := r.run.readAll(ctx, statement{
			cql: fmt.Sprintf(selectVersions, r.cfg.Keyspace), values: []any{versionsName}, consistency: gocql.LocalQuorum, what: "sweep: read the schema's age",
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
		r.state.since.Store(first)
	}
	const skew = time.Hour // of the clock that applied the schema
	return hourOf(r.state.since.Load() - skew.Microseconds()), nil
}

// setProgress notes the next hour of a shard, with the hour as timestamp, so that it only rises.
func (r *trashRun) setProgress(ctx context.Context, name string, position int) error {
	return r.run.exec(ctx, statement{
		cql: insertProgress, values: []any{name, int64(position), int64(position)}, consistency: gocql.LocalQuorum,
		what: "sweep: note progress",
	})
}
