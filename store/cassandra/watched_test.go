package cassandra_test

import (
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// The jobs of the engine show their counts while they run, with the rest that each knows.
func TestJobsAreWatched(t *testing.T) {
	w := openWindowed(t, nil)
	boxes := []mail.MailboxID{inShard(3, 1), inShard(4, 1), inShard(5, 1)}
	for _, mb := range boxes {
		id := aged(oldAge, 1)[0]
		w.stored(id, mb)
		w.remove(mb, id)
		w.trashed(mb, w.long, id)
	}
	var floors []store.FloorReport
	f, err := w.store.RaiseFloors(store.Watch(t.Context(), func(r store.FloorReport) { floors = append(floors, r) }))
	if err != nil || f.Mailboxes != len(boxes) || f.Remaining != 0 || len(floors) != len(boxes) {
		t.Fatalf("RaiseFloors: %+v, %v; shown: %+v", f, err, floors)
	}
	for i, r := range floors {
		if r.Mailboxes != i+1 || r.Remaining != len(boxes)-i-1 {
			t.Errorf("RaiseFloors shows %+v", floors)
		}
	}

	var sweeps []store.SweepReport
	s, err := w.store.Sweep(store.Watch(t.Context(), func(r store.SweepReport) { sweeps = append(sweeps, r) }), time.Now())
	if err != nil || s.Contents != len(boxes) || s.Remaining != 0 || len(sweeps) < 2 {
		t.Fatalf("Sweep: %+v, %v; shown: %+v", s, err, sweeps)
	}
	first, last := sweeps[0], sweeps[len(sweeps)-1]
	if first.Remaining <= 1 || last.Remaining != 0 || last.Contents != s.Contents || last.Octets != s.Octets {
		t.Errorf("Sweep shows first %+v and last %+v, and ends with %+v", first, last, s)
	}

	put(t, w.store, aged(oldAge, 1)[0], 10, boxes[0]) // an orphan
	var scans []store.OrphanReport
	o, err := w.store.SweepOrphans(store.Watch(t.Context(), func(r store.OrphanReport) { scans = append(scans, r) }), time.Now(), time.Now())
	if err != nil || o.Contents != 1 || o.Percent != 0 || len(scans) == 0 {
		t.Fatalf("SweepOrphans: %+v, %v; shown: %+v", o, err, scans)
	}
	if r := scans[len(scans)-1]; r.Percent != 100 || r.Looked != o.Looked || r.Contents != 1 || r.Octets != 10 {
		t.Errorf("SweepOrphans shows at last %+v, and ends with %+v", r, o)
	}
}
