package store_test

import (
	"slices"
	"testing"
	"time"

	"popelago/store"
)

func TestMergeRecords(t *testing.T) {
	row := func(at int64, id byte) store.Record { return store.Record{At: time.UnixMicro(at), ID: [16]byte{id}} }
	in := []store.Record{row(1, 2), row(3, 1), row(1, 1), row(3, 1), row(2, 9)}
	for _, c := range []struct {
		limit       int
		oldestFirst bool
		want        []store.Record
	}{
		{10, false, []store.Record{row(3, 1), row(2, 9), row(1, 2), row(1, 1)}},
		{10, true, []store.Record{row(1, 1), row(1, 2), row(2, 9), row(3, 1)}},
		{2, false, []store.Record{row(3, 1), row(2, 9)}},
		{2, true, []store.Record{row(1, 1), row(1, 2)}},
		{0, false, nil},
	} {
		got := store.MergeRecords(slices.Clone(in), c.limit, c.oldestFirst)
		if !slices.EqualFunc(got, c.want, func(a, b store.Record) bool { return a.Position() == b.Position() }) {
			t.Errorf("%d, %v: %v, want %v", c.limit, c.oldestFirst, got, c.want)
		}
	}
}
