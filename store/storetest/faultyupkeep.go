package storetest

import (
	"context"
	"iter"
	"time"

	"popelago/mail"
	"popelago/store"
)

type faultyLedger struct {
	store.Ledger
	f *Fault
}

func (s *faultyLedger) PutAttempt(ctx context.Context, a store.Attempt) error {
	return s.f.write("PutAttempt", func() error { return s.Ledger.PutAttempt(ctx, a) })
}

func (s *faultyLedger) Attempts(ctx context.Context, since time.Time) iter.Seq2[store.Attempt, error] {
	all := s.Ledger.Attempts(ctx, since)
	if err := s.f.read("Attempts", func() error { return nil }); err != nil {
		return func(yield func(store.Attempt, error) bool) { yield(store.Attempt{}, err) }
	}
	return all
}

func (s *faultyLedger) HasAttempt(ctx context.Context, a store.Attempt) (found bool, err error) {
	err = s.f.read("HasAttempt", func() (err error) { found, err = s.Ledger.HasAttempt(ctx, a); return err })
	return found, err
}

func (s *faultyLedger) RemoveAttempt(ctx context.Context, a store.Attempt) error {
	return s.f.write("RemoveAttempt", func() error { return s.Ledger.RemoveAttempt(ctx, a) })
}

type faultyUpkeep struct {
	store.Upkeep
	f *Fault
}

func (s *faultyUpkeep) RaiseFloors(ctx context.Context) (r store.FloorReport, err error) {
	err = s.f.write("RaiseFloors", func() (err error) { r, err = s.Upkeep.RaiseFloors(ctx); return err })
	return r, err
}

func (s *faultyUpkeep) Sweep(ctx context.Context, olderThan time.Time) (r store.SweepReport, err error) {
	err = s.f.write("Sweep", func() (err error) { r, err = s.Upkeep.Sweep(ctx, olderThan); return err })
	return r, err
}

func (s *faultyUpkeep) SweepOrphans(ctx context.Context, olderThan, begun time.Time) (r store.OrphanReport, err error) {
	err = s.f.write("SweepOrphans", func() (err error) { r, err = s.Upkeep.SweepOrphans(ctx, olderThan, begun); return err })
	return r, err
}

func (s *faultyUpkeep) ListContents(ctx context.Context, after string, limit int) (contents []store.ContentRow, next string, err error) {
	err = s.f.read("ListContents", func() (err error) {
		contents, next, err = s.Upkeep.ListContents(ctx, after, limit)
		return err
	})
	return contents, next, err
}

func (s *faultyUpkeep) ContentRows(ctx context.Context, ids []mail.MessageID) (rows map[mail.MessageID]store.ContentRow, err error) {
	err = s.f.read("ContentRows", func() (err error) { rows, err = s.Upkeep.ContentRows(ctx, ids); return err })
	return rows, err
}

func (s *faultyUpkeep) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (trashed map[mail.MessageID][]mail.MailboxID, err error) {
	err = s.f.read("Trashed", func() (err error) { trashed, err = s.Upkeep.Trashed(ctx, contents); return err })
	return trashed, err
}

func (s *faultyUpkeep) Floor(ctx context.Context, mailbox mail.MailboxID) (floor mail.MessageID, err error) {
	err = s.f.read("Floor", func() (err error) { floor, err = s.Upkeep.Floor(ctx, mailbox); return err })
	return floor, err
}

func (s *faultyUpkeep) HoldFloor(ctx context.Context, mailbox mail.MailboxID) error {
	return s.f.write("HoldFloor", func() error { return s.Upkeep.HoldFloor(ctx, mailbox) })
}

func (s *faultyUpkeep) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (r store.SweepReport, err error) {
	err = s.f.write("RemoveOrphans", func() (err error) { r, err = s.Upkeep.RemoveOrphans(ctx, contents, olderThan); return err })
	return r, err
}

func (s *faultyUpkeep) Progress(ctx context.Context, name string) (string, error) {
	return s.f.progress(ctx, s.Upkeep, name)
}

func (s *faultyUpkeep) SetProgress(ctx context.Context, name, text string) error {
	return s.f.setProgress(ctx, s.Upkeep, name, text)
}

func (s *faultyUpkeep) Servers(ctx context.Context) (servers []store.Server, err error) {
	err = s.f.read("Servers", func() (err error) { servers, err = s.Upkeep.Servers(ctx); return err })
	return servers, err
}
