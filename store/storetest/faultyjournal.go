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

func (s *faultyJournal) RecordsAfter(ctx context.Context, j store.JournalName, key string, day int, after store.Record, limit int) (rows []store.Record, more bool, err error) {
	err = s.f.read("RecordsAfter", func() (err error) {
		rows, more, err = s.Journal.RecordsAfter(ctx, j, key, day, after, limit)
		return err
	})
	return rows, more, err
}

func (s *faultyJournal) AdvanceMarks(ctx context.Context, list string, marks []store.Mark, keep time.Duration) error {
	return s.f.write("AdvanceMarks", func() error { return s.Journal.AdvanceMarks(ctx, list, marks, keep) })
}

func (s *faultyJournal) Marks(ctx context.Context, list string) (marks []store.Mark, err error) {
	err = s.f.read("Marks", func() (err error) {
		marks, err = s.Journal.Marks(ctx, list)
		return err
	})
	return marks, err
}
