package cassandra_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
	"popelago/store/cassandra"
)

// Progress stays at an hour with a young removal, though later hours are done.
func TestProgressStaysBehindTheYoung(t *testing.T) {
	w := openWindowed(t, nil)
	mb := inShard(3, 1)
	first := hourOf(w.long) - 1
	w.trashedIn(first, mb, time.Now().Add(-youngAge).UnixMicro(), aged(oldAge+time.Hour, 1)[0])
	w.trashed(mb, w.long, aged(oldAge, 1)[0])
	w.sweep(0)
	var position int64
	err := w.cql.Query("SELECT position FROM " + w.cfg.Keyspace + ".progress WHERE name = 'trash/dc1/3'").Scan(&position)
	if err != nil && !errors.Is(err, gocql.ErrNotFound) || position > int64(first) {
		t.Errorf("progress is %d, %v; want at most %d", position, err, first)
	}
}

// A removal in an hour that was worked off before keeps its content until the removal is due.
func TestOrphansKnowLateTrash(t *testing.T) {
	w := openWindowed(t, nil)
	mb := inShard(4, 1)
	w.trashed(mb, w.long, aged(oldAge, 1)[0])
	w.sweep(0)
	id := aged(oldAge, 1)[0]
	put(t, w.store, id, 10, mb)
	w.trashed(mb, time.Now().Add(-youngAge).UnixMicro(), id)
	if r, err := w.store.SweepOrphans(t.Context(), time.Now(), time.Now()); err != nil || r.Contents != 0 {
		t.Errorf("%+v, %v; want none removed", r, err)
	}
	w.exists(true, id)
}

// In a bulk mailbox the range delete below a floor covers the segments of days, too.
func TestFloorCoversDays(t *testing.T) {
	w := openWindowed(t, nil)
	mb := mailbox("days")
	gone := mail.Message{ID: aged(oldAge, 1)[0], Size: 10}
	addBulk(t, w.store, mb, time.Now().Add(-10*24*time.Hour), gone)
	w.remove(mb, gone.ID)
	if r, err := w.store.RaiseFloors(t.Context()); err != nil || r.Raised != 1 {
		t.Fatalf("%+v, %v", r, err)
	}
	if err := w.cql.Query("INSERT INTO "+w.cfg.Keyspace+".mailbox (mailbox, segment, message, size) VALUES (?, ?, ?, 1) USING TIMESTAMP ?",
		gocql.UUID(mb), dayOf(gone.ID.Time()), gocql.UUID(gone.ID), time.Now().Add(time.Minute).UnixMicro()).Exec(); err != nil {
		t.Fatal(err)
	}
	if m, err := w.store.Message(t.Context(), mb, gone.ID); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("%+v, %v", m, err)
	}
}

// A run that ends early has noted most of its progress through many hours.
func TestProgressIsNotedOnTheWay(t *testing.T) {
	const shard, hours = 3, 450
	current := hourOf(time.Now().UnixMicro())
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w := openWindowed(t, func(cfg *cassandra.Config) {
		cfg.Observe = func(s cassandra.Statement) {
			seen.Observe(s)
			if nameOf(s.CQL) == "selectTrash" && s.Values[0][2] == shard && s.Values[0][1] == current-hours/10 {
				cancel()
			}
		}
	})
	for n := range 256 {
		position := current
		if n == shard {
			position = current - hours
		}
		if err := w.cql.Query("INSERT INTO "+w.cfg.Keyspace+".progress (name, position) VALUES (?, ?) USING TIMESTAMP 1",
			fmt.Sprint("trash/dc1/", n), int64(position)).Exec(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.store.Sweep(ctx, time.Now()); err != nil || ctx.Err() == nil {
		t.Fatalf("Sweep: %v; want an early end", err)
	}
	var position int64
	if err := w.cql.Query("SELECT position FROM " + w.cfg.Keyspace + ".progress WHERE name = 'trash/dc1/3'").Scan(&position); err != nil {
		t.Fatal(err)
	}
	if n := position - int64(current-hours); n < hours/3 || n > hours*9/10 {
		t.Errorf("the progress has risen by %d of %d hours", n, hours*9/10)
	}
}
