package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"sync/atomic"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Mode says how an operation fails.
type Mode int

const (
	// Before: nothing is done, the error is store.ErrUnavailable.
	Before Mode = iota
	// After: a write is done in full and answers store.ErrOutcomeUnknown. Reads, and writes
	// to a Content, fail as with Before.
	After
	// Half: of an AddMessages or RemoveMessages with several entries the first half is done;
	// entries not added answer store.ErrUnavailable, removals store.ErrOutcomeUnknown. Other
	// operations fail as with After.
	Half
)

// Modes are all of them.
var Modes = []Mode{Before, After, Half}

func (m Mode) String() string {
	switch m {
	case Before:
		return "before"
	case After:
		return "after"
	default:
		return "half"
	}
}

// ErrInjected is wrapped by every injected error, beside its class of package store.
var ErrInjected = errors.New("injected fault")

// Fault is one fault that happens once. All the stores wrapped with it share its count.
type Fault struct {
	// K is the number of the operation that fails, counted from 0. Operations are the calls
	// of all methods of store.Store that may fail but Close and Clock, of Content.Write, and of Read and WriteTo of
	// the readers from OpenContent.
	K int
	// Mode is how it fails.
	Mode Mode

	count atomic.Int64
	hit   atomic.Pointer[string]
}

// Hit names the operation that failed; ok is false while none has.
func (f *Fault) Hit() (operation string, ok bool) {
	if p := f.hit.Load(); p != nil {
		return *p, true
	}
	return "", false
}

// next counts an operation and reports whether it is to fail.
func (f *Fault) next(operation string) bool {
	if f.count.Add(1)-1 != int64(f.K) {
		return false
	}
	f.hit.Store(&operation)
	return true
}

func (f *Fault) error(class error, operation string) error {
	return fmt.Errorf("%s: %w: %w", operation, class, ErrInjected)
}

// Faulty is s failing as f says. Closing it closes s.
func Faulty(s store.Store, f *Fault) store.Store { return &faulty{Store: s, f: f} }

// EachFault runs scenario with the k-th operation failing for k = 0, 1, 2... in every mode,
// each time as a subtest named mode/k, until one meets no fault. scenario passes its stores
// through wrap.
func EachFault(t *testing.T, scenario func(t *testing.T, wrap func(store.Store) store.Store)) {
	t.Helper()
	for _, mode := range Modes {
		t.Run(mode.String(), func(t *testing.T) {
			for k := 0; ; k++ {
				f := &Fault{K: k, Mode: mode}
				ok := t.Run(fmt.Sprint(k), func(t *testing.T) {
					defer func() {
						if op, ok := f.Hit(); ok && t.Failed() {
							t.Logf("the operation that failed: %s", op)
						}
					}()
					scenario(t, func(s store.Store) store.Store { return Faulty(s, f) })
				})
				if _, hit := f.Hit(); !hit || !ok {
					return
				}
			}
		})
	}
}

type faulty struct {
	store.Store
	f    *Fault
	base *faulty // at store.LevelLocal; nil: this is it
}

// At returns the same wrapper for the same view.
func (s *faulty) At(level store.Level) store.Store {
	base := s
	if s.base != nil {
		base = s.base
	}
	view := base.Store.At(level)
	if view == base.Store {
		return base
	}
	return &faulty{Store: view, f: s.f, base: base}
}

// read runs an operation that changes nothing.
func (s *faulty) read(operation string, do func() error) error {
	if s.f.next(operation) {
		return s.f.error(store.ErrUnavailable, operation)
	}
	return do()
}

// write runs an operation that changes something.
func (s *faulty) write(operation string, do func() error) error {
	if !s.f.next(operation) {
		return do()
	}
	if s.f.Mode == Before {
		return s.f.error(store.ErrUnavailable, operation)
	}
	if err := do(); err != nil {
		return err
	}
	return s.f.error(store.ErrOutcomeUnknown, operation)
}

func (s *faulty) Sweep(ctx context.Context, olderThan time.Time) (r store.SweepReport, err error) {
	err = s.write("Sweep", func() (err error) { r, err = s.Store.Sweep(ctx, olderThan); return err })
	return r, err
}

func (s *faulty) SweepOrphans(ctx context.Context, olderThan, begun time.Time) (r store.OrphanReport, err error) {
	err = s.write("SweepOrphans", func() (err error) { r, err = s.Store.SweepOrphans(ctx, olderThan, begun); return err })
	return r, err
}

func (s *faulty) RaiseFloors(ctx context.Context) (r store.FloorReport, err error) {
	err = s.write("RaiseFloors", func() (err error) { r, err = s.Store.RaiseFloors(ctx); return err })
	return r, err
}

func (s *faulty) NewContent(ctx context.Context) (c store.Content, err error) {
	err = s.read("NewContent", func() (err error) { c, err = s.Store.NewContent(ctx); return err })
	if err != nil {
		return nil, err
	}
	return &faultyContent{Content: c, s: s}, nil
}

func (s *faulty) PutContent(ctx context.Context, id mail.MessageID, c store.Content, info store.ContentInfo) error {
	inner := c
	if fc, ok := c.(*faultyContent); ok {
		inner = fc.Content
	}
	if s.base == nil {
		defer inner.Discard() // c is used up, also by an error
	}
	return s.write("PutContent", func() error { return s.Store.PutContent(ctx, id, inner, info) })
}

func (s *faulty) OpenContent(ctx context.Context, id mail.MessageID, origin string) (info store.ContentInfo, r io.ReadCloser, err error) {
	err = s.read("OpenContent", func() (err error) { info, r, err = s.Store.OpenContent(ctx, id, origin); return err })
	if err != nil {
		return store.ContentInfo{}, nil, err
	}
	return info, &faultyReader{ReadCloser: r, s: s}, nil
}

func (s *faulty) AddMessages(ctx context.Context, entries []store.Entry) []error {
	const operation = "AddMessages"
	if !s.f.next(operation) {
		return s.Store.AddMessages(ctx, entries)
	}
	done, class := 0, store.ErrUnavailable
	switch {
	case s.f.Mode == Half && len(entries) > 1:
		done = len(entries) / 2
	case s.f.Mode != Before:
		done, class = len(entries), store.ErrOutcomeUnknown
	}
	errs := make([]error, len(entries))
	for i := range errs {
		errs[i] = s.f.error(class, operation)
	}
	if done > 0 {
		for i, err := range s.Store.AddMessages(ctx, entries[:done:done]) {
			if err != nil || done < len(entries) {
				errs[i] = err
			}
		}
	}
	return errs
}

func (s *faulty) ListMessages(ctx context.Context, mailbox mail.MailboxID, after mail.MessageID, limit int) (rows []mail.Message, more bool, err error) {
	err = s.read("ListMessages", func() (err error) {
		rows, more, err = s.Store.ListMessages(ctx, mailbox, after, limit)
		return err
	})
	return rows, more, err
}

func (s *faulty) Message(ctx context.Context, mailbox mail.MailboxID, id mail.MessageID) (m mail.Message, err error) {
	err = s.read("Message", func() (err error) { m, err = s.Store.Message(ctx, mailbox, id); return err })
	return m, err
}

func (s *faulty) SetBulk(ctx context.Context, mailbox mail.MailboxID) (since time.Time, err error) {
	err = s.write("SetBulk", func() (err error) { since, err = s.Store.SetBulk(ctx, mailbox); return err })
	return since, err
}

func (s *faulty) RemoveMessages(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	const operation = "RemoveMessages"
	if !s.f.next(operation) {
		return s.Store.RemoveMessages(ctx, mailbox, ids)
	}
	if s.f.Mode == Before {
		return s.f.error(store.ErrUnavailable, operation)
	}
	if s.f.Mode == Half && len(ids) > 1 {
		ids = ids[:len(ids)/2]
	}
	if err := s.Store.RemoveMessages(ctx, mailbox, ids); err != nil {
		return err
	}
	return s.f.error(store.ErrOutcomeUnknown, operation)
}

func (s *faulty) AddressRows(ctx context.Context, a mail.Address) (rows []store.Address, err error) {
	err = s.read("AddressRows", func() (err error) { rows, err = s.Store.AddressRows(ctx, a); return err })
	return rows, err
}

func (s *faulty) ChangeAddress(ctx context.Context, a mail.Address, generation mail.MessageID, c store.AddressChange) error {
	return s.write("ChangeAddress", func() error { return s.Store.ChangeAddress(ctx, a, generation, c) })
}

func (s *faulty) ListAddresses(ctx context.Context, domain, after string, limit int) (rows []store.Address, more bool, err error) {
	err = s.read("ListAddresses", func() (err error) {
		rows, more, err = s.Store.ListAddresses(ctx, domain, after, limit)
		return err
	})
	return rows, more, err
}

func (s *faulty) Domain(ctx context.Context, name string) (d store.Domain, err error) {
	err = s.read("Domain", func() (err error) { d, err = s.Store.Domain(ctx, name); return err })
	return d, err
}

func (s *faulty) ListDomains(ctx context.Context) (ds []store.Domain, err error) {
	err = s.read("ListDomains", func() (err error) { ds, err = s.Store.ListDomains(ctx); return err })
	return ds, err
}

func (s *faulty) RemovedDomains(ctx context.Context) (ds []store.RemovedDomain, err error) {
	err = s.read("RemovedDomains", func() (err error) { ds, err = s.Store.RemovedDomains(ctx); return err })
	return ds, err
}

func (s *faulty) PutDomain(ctx context.Context, d store.Domain) error {
	return s.write("PutDomain", func() error { return s.Store.PutDomain(ctx, d) })
}

func (s *faulty) ChangeDomain(ctx context.Context, name string, c store.DomainChange) error {
	return s.write("ChangeDomain", func() error { return s.Store.ChangeDomain(ctx, name, c) })
}

func (s *faulty) RemoveDomain(ctx context.Context, name string) error {
	return s.write("RemoveDomain", func() error { return s.Store.RemoveDomain(ctx, name) })
}

func (s *faulty) PutAttempt(ctx context.Context, a store.Attempt) error {
	return s.write("PutAttempt", func() error { return s.Store.PutAttempt(ctx, a) })
}

func (s *faulty) Attempts(ctx context.Context, since time.Time) iter.Seq2[store.Attempt, error] {
	all := s.Store.Attempts(ctx, since)
	if err := s.read("Attempts", func() error { return nil }); err != nil {
		return func(yield func(store.Attempt, error) bool) { yield(store.Attempt{}, err) }
	}
	return all
}

func (s *faulty) HasAttempt(ctx context.Context, a store.Attempt) (found bool, err error) {
	err = s.read("HasAttempt", func() (err error) { found, err = s.Store.HasAttempt(ctx, a); return err })
	return found, err
}

func (s *faulty) RemoveAttempt(ctx context.Context, a store.Attempt) error {
	return s.write("RemoveAttempt", func() error { return s.Store.RemoveAttempt(ctx, a) })
}

func (s *faulty) ListContents(ctx context.Context, after string, limit int) (contents []store.ContentRow, next string, err error) {
	err = s.read("ListContents", func() (err error) {
		contents, next, err = s.Store.ListContents(ctx, after, limit)
		return err
	})
	return contents, next, err
}

func (s *faulty) ContentRows(ctx context.Context, ids []mail.MessageID) (rows map[mail.MessageID]store.ContentRow, err error) {
	err = s.read("ContentRows", func() (err error) { rows, err = s.Store.ContentRows(ctx, ids); return err })
	return rows, err
}

func (s *faulty) Trashed(ctx context.Context, contents map[mail.MessageID][]mail.MailboxID) (trashed map[mail.MessageID][]mail.MailboxID, err error) {
	err = s.read("Trashed", func() (err error) { trashed, err = s.Store.Trashed(ctx, contents); return err })
	return trashed, err
}

func (s *faulty) HoldFloor(ctx context.Context, mailbox mail.MailboxID) error {
	return s.write("HoldFloor", func() error { return s.Store.HoldFloor(ctx, mailbox) })
}

func (s *faulty) Floor(ctx context.Context, mailbox mail.MailboxID) (floor mail.MessageID, err error) {
	err = s.read("Floor", func() (err error) { floor, err = s.Store.Floor(ctx, mailbox); return err })
	return floor, err
}

func (s *faulty) RemoveOrphans(ctx context.Context, contents []store.ContentRow, olderThan time.Time) (r store.SweepReport, err error) {
	err = s.write("RemoveOrphans", func() (err error) { r, err = s.Store.RemoveOrphans(ctx, contents, olderThan); return err })
	return r, err
}

func (s *faulty) Progress(ctx context.Context, name string) (text string, err error) {
	err = s.read("Progress", func() (err error) { text, err = s.Store.Progress(ctx, name); return err })
	return text, err
}

func (s *faulty) SetProgress(ctx context.Context, name, text string) error {
	return s.write("SetProgress", func() error { return s.Store.SetProgress(ctx, name, text) })
}

type faultyContent struct {
	store.Content
	s *faulty
}

func (c *faultyContent) Write(p []byte) (n int, err error) {
	err = c.s.read("Content.Write", func() (err error) { n, err = c.Content.Write(p); return err })
	return n, err
}

type faultyReader struct {
	io.ReadCloser
	s *faulty
}

func (r *faultyReader) Read(p []byte) (n int, err error) {
	err = r.s.read("Read", func() (err error) { n, err = r.ReadCloser.Read(p); return err })
	return n, err
}

func (r *faultyReader) WriteTo(w io.Writer) (n int64, err error) {
	err = r.s.read("WriteTo", func() (err error) {
		if wt, ok := r.ReadCloser.(io.WriterTo); ok {
			n, err = wt.WriteTo(w)
		} else {
			n, err = io.Copy(w, r.ReadCloser)
		}
		return err
	})
	return n, err
}
