package storetest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"testing"
	"time"

	"popelago/mail"
	"popelago/store"
)

// Suite checks an engine against the promises of every role.
type Suite struct {
	// Open opens an engine without data. The suite closes the engine.
	Open func(t *testing.T) store.Engine
	// Reopen closes s and opens the same data again. Nil: the engine cannot be reopened.
	Reopen func(t *testing.T, s store.Engine) store.Engine
	// SweepLimit is the number of calls of Sweep and SweepOrphans after which all removable
	// content is removed. Zero means one.
	SweepLimit int
	// KeepsAttempts reports that the engine stores attempts, for several processes.
	KeepsAttempts bool
	// ModelChecks limits the number of random histories that are compared with a model; 0 is no limit but the
	// setting -rapid.checks (100 by default).
	ModelChecks int
	// Quick skips the largest and most numerous cases.
	Quick bool
	// EntriesOnly skips the groups of cases that do not depend on the kind of the mailbox, for a second run with
	// entries of a different form.
	EntriesOnly bool
}

// Run runs the suite.
func (s Suite) Run(t *testing.T) {
	if s.SweepLimit == 0 {
		s.SweepLimit = 1
	}
	groups := []struct {
		name    string
		entries bool // the cases add entries
		kind    bool // the result may depend on the kind of the mailbox
		cases   []testCase
	}{
		{"Mailbox", true, true, mailboxCases},
		{"Removal", true, true, removalCases},
		{"Retrieval", true, true, retrievalCases},
		{"Login", false, false, loginCases},
		{"Bulk", true, true, bulkCases},
		{"Content", true, false, contentCases},
		{"Sweep", true, true, sweepCases},
		{"Address", false, false, addressCases},
		{"Domain", false, false, domainCases},
		{"Sets", false, false, setCases},
		{"Token", false, false, tokenCases},
		{"Attempt", false, false, attemptCases},
		{"Journal", false, false, journalCases},
		{"Check", true, true, checkCases},
		{"Close", true, true, closeCases},
		{"Model", true, true, modelCases},
	}
	for _, g := range groups {
		if s.EntriesOnly && !g.kind {
			continue
		}
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					st := s.Open(t)
					e := &env{T: t, suite: s, Engine: st, ctx: t.Context(), ids: mail.NewIDSource(nil), noEntries: !g.entries}
					defer func() {
						if err := e.Engine.Close(); err != nil {
							t.Errorf("Close: %v", err)
						}
					}()
					c.run(e)
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(e *env)
}

// env holds the test, the engine and makers of values for a case.
type env struct {
	*testing.T
	store.Engine
	suite Suite
	ctx   context.Context
	ids   *mail.IDSource
	// noEntries: the case belongs to a group that Suite.EntriesOnly skips, and must add no entries.
	noEntries bool
}

// AddMessages adds entries to mailboxes.
func (e *env) AddMessages(ctx context.Context, entries []store.Entry) []error {
	if e.noEntries {
		e.Fatal("a case of a group without entries adds entries: see Suite.EntriesOnly")
	}
	return e.Engine.AddMessages(ctx, entries)
}

// mailbox makes a mailbox id unique to name.
func mailbox(name string) mail.MailboxID {
	return mail.DeriveMailboxID(mail.Address{Local: name, Domain: "example.test"}, mail.MessageID{})
}

// future returns a moment for Sweep that makes all data of a test old.
func future() time.Time { return time.Now().Add(48 * time.Hour) }

// message makes a row with a fresh id.
func (e *env) message(size int64) mail.Message {
	return mail.Message{ID: e.ids.Next(), Size: size, Recipient: "alice@example.test"}
}

// add adds rows to one mailbox.
func (e *env) add(mb mail.MailboxID, ms ...mail.Message) {
	e.Helper()
	entries := make([]store.Entry, len(ms))
	for i, m := range ms {
		entries[i] = store.Entry{Mailbox: mb, Message: m}
	}
	e.addEntries(entries...)
}

func (e *env) addEntries(entries ...store.Entry) {
	e.Helper()
	errs := e.AddMessages(e.ctx, entries)
	if len(errs) != len(entries) {
		e.Fatalf("AddMessages returned %d errors for %d entries", len(errs), len(entries))
	}
	if err := errors.Join(errs...); err != nil {
		e.Fatalf("AddMessages: %v", err)
	}
}

func (e *env) remove(mb mail.MailboxID, ids ...mail.MessageID) {
	e.Helper()
	if err := e.RemoveMessages(e.ctx, mb, ids); err != nil {
		e.Fatalf("RemoveMessages: %v", err)
	}
}

// list reads a mailbox in pages of limit rows.
func (e *env) list(mb mail.MailboxID, limit int) []mail.Message {
	e.Helper()
	rows, err := List(e.ctx, e.Engine, mb, limit)
	if err != nil {
		e.Fatalf("ListMessages: %v", err)
	}
	return rows
}

// List reads a whole mailbox in pages of limit rows and checks the promises about every page.
func List(ctx context.Context, s store.Mailboxes, mb mail.MailboxID, limit int) (all []mail.Message, err error) {
	var after mail.MessageID
	for {
		rows, more, err := s.ListMessages(ctx, mb, after, limit)
		if err != nil {
			return nil, err
		}
		if len(rows) > limit {
			return nil, errors.New("a page has more rows than the limit")
		}
		for _, m := range rows {
			if m.ID.Compare(after) <= 0 {
				return nil, errors.New("rows are out of order, or twice")
			}
			after = m.ID
		}
		all = append(all, rows...)
		if !more {
			return all, nil
		}
		if len(rows) == 0 {
			return nil, errors.New("an empty page announces a further page")
		}
	}
}

// put stores content in pieces of the given size.
func (e *env) put(id mail.MessageID, data []byte, piece int, mailboxes ...mail.MailboxID) {
	e.Helper()
	if err := Put(e.ctx, e.Engine, id, data, piece, store.ContentInfo{ReversePath: "sender@example.org", Mailboxes: mailboxes}); err != nil {
		e.Fatalf("put content: %v", err)
	}
}

// Put stores content through NewContent, Write in pieces, and PutContent.
func Put(ctx context.Context, s store.Contents, id mail.MessageID, data []byte, piece int, info store.ContentInfo) error {
	c, err := s.NewContent(ctx)
	if err != nil {
		return err
	}
	defer c.Discard()
	for p := range slices.Chunk(data, max(piece, 1)) {
		if n, err := c.Write(p); err != nil || n != len(p) {
			return errors.Join(err, nonNil(n != len(p), "short write without an error"))
		}
	}
	if c.Size() != int64(len(data)) {
		return errors.New("the size differs from the number of octets written")
	}
	return s.PutContent(ctx, id, c, info)
}

func nonNil(bad bool, text string) error {
	if bad {
		return errors.New(text)
	}
	return nil
}

// Read reads a content whole.
func Read(ctx context.Context, s store.Contents, id mail.MessageID) (store.ContentInfo, []byte, error) {
	info, r, err := s.OpenContent(ctx, id, "")
	if err != nil {
		return info, nil, err
	}
	var b bytes.Buffer
	b.Grow(int(min(max(info.Size, 0), 1<<20)) + bytes.MinRead) // no copies while it grows
	_, err = b.ReadFrom(r)
	return info, b.Bytes(), errors.Join(err, r.Close())
}

// wantContent checks that a content equals data, with Read and with WriteTo.
func (e *env) wantContent(id mail.MessageID, data []byte) store.ContentInfo {
	e.Helper()
	info, got, err := Read(e.ctx, e.Engine, id)
	if err != nil {
		e.Fatalf("read content: %v", err)
	}
	if !bytes.Equal(got, data) {
		e.Fatalf("read content: got %d octets, want %d, or different octets", len(got), len(data))
	}
	if info.Size != int64(len(data)) {
		e.Fatalf("ContentInfo.Size: got %d, want %d", info.Size, len(data))
	}
	_, r, err := e.OpenContent(e.ctx, id, "")
	if err != nil {
		e.Fatalf("OpenContent again: %v", err)
	}
	defer r.Close()
	wt, ok := r.(io.WriterTo)
	if !ok {
		e.Fatalf("the reader %T is no io.WriterTo", r)
	}
	var b bytes.Buffer
	n, err := wt.WriteTo(&b)
	if err != nil || n != int64(len(data)) || !bytes.Equal(b.Bytes(), data) {
		e.Fatalf("WriteTo: %d octets, error %v; want the same %d octets", n, err, len(data))
	}
	return info
}

func (e *env) wantNoContent(id mail.MessageID) {
	e.Helper()
	if _, _, err := Read(e.ctx, e.Engine, id); !errors.Is(err, store.ErrNotFound) {
		e.Fatalf("content %s: got error %v, want %v", id, err, store.ErrNotFound)
	}
}

func (e *env) wantMessages(mb mail.MailboxID, want ...mail.Message) {
	e.Helper()
	want = slices.Clone(want)
	slices.SortFunc(want, func(a, b mail.Message) int { return a.ID.Compare(b.ID) })
	if got := e.list(mb, 3); !slices.Equal(got, want) {
		e.Fatalf("mailbox:\n got %v\nwant %v", got, want)
	}
}

// sweep calls Sweep and SweepOrphans up to SweepLimit times and returns the sum of the reports.
func (e *env) sweep(olderThan time.Time) store.SweepReport {
	e.Helper()
	sum, err := e.sweepAll(olderThan)
	if err != nil {
		e.Fatalf("Sweep: %v", err)
	}
	return sum
}

func (e *env) sweepAll(olderThan time.Time) (sum store.SweepReport, err error) {
	add := func(r store.SweepReport) {
		sum.Contents += r.Contents
		sum.Octets += r.Octets
		sum.Elsewhere += r.Elsewhere
	}
	for range e.suite.SweepLimit {
		r, err := e.Sweep(e.ctx, olderThan)
		if add(r); err != nil {
			return sum, err
		}
		o, err := e.SweepOrphans(e.ctx, olderThan, future())
		if add(o.SweepReport); err != nil {
			return sum, err
		}
	}
	return sum, nil
}

// cancelled returns a context that has ended.
func cancelled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

// classes lists the sentinels. Every error wraps a sentinel.
var classes = []error{store.ErrNotFound, store.ErrUnavailable, store.ErrOutcomeUnknown, store.ErrCorrupt}

// wantClass checks that err wraps one of the classes.
func (e *env) wantClass(what string, err error) {
	e.Helper()
	for _, c := range classes {
		if errors.Is(err, c) {
			return
		}
	}
	e.Errorf("%s: error %v is none of the classes of package store", what, err)
}
