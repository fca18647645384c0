package cassandra_test

import (
	"errors"
	"testing"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
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
