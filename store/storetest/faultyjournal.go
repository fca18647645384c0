package storetest

import (
	"context"
	"time"

	"popelago/store"
)

type faultyJournal struct {
	store.Journal
	f *Fault
}

func (s *faultyJournal) AddRecords(ctx context.Context, j store.JournalName, rows []store.Record, keep time.Duration) error {
	return s.f.write("AddRecords", func() error { return s.Journal.AddRecords(ctx, j, rows, keep) })
}

func (s *faultyJournal) Records(ctx context.Context, j store.JournalName, key string, day int, before store.Record, limit int) (rows []store.Record, more bool, err error) {
	err = s.f.read("Records", func() (err error) {
		rows, more, err = s.Journal.Records(ctx, j, key, day, before, limit)
		return err
	})
	return rows, more, err
}
