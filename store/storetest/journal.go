package storetest

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"popelago/store"
)

// record makes a row of a journal. n is the last octet of the id.
func record(key string, at time.Time, n byte) store.Record {
	return store.Record{Key: key, At: at.Truncate(time.Microsecond).UTC(), ID: [16]byte{15: n}, Data: fmt.Appendf(nil, "%s %d", key, n)}
}

// keepRecords is a time for which cases keep rows.
const keepRecords = 30 * 24 * time.Hour

func (e *env) addRecords(j store.JournalName, rows ...store.Record) {
	e.Helper()
	if err := e.AddRecords(e.ctx, j, rows, keepRecords); err != nil {
		e.Fatalf("AddRecords: %v", err)
	}
}

// wantRecords checks the rows of a key on the day of a moment, read in pages of limit rows.
func (e *env) wantRecords(j store.JournalName, key string, day time.Time, limit int, want ...store.Record) {
	e.Helper()
	var got []store.Record
	var before store.Record
	for {
		page, more, err := e.Records(e.ctx, j, key, store.DayOf(day), before, limit)
		if err != nil {
			e.Fatalf("Records: %v", err)
		}
		if len(page) > limit || more && len(page) == 0 {
			e.Fatalf("Records: %d rows of at most %d, more %v", len(page), limit, more)
		}
		if got = append(got, page...); !more {
			break
		}
		before = page[len(page)-1]
	}
	e.sameRecords(key, got, want)
}

func (e *env) sameRecords(key string, got, want []store.Record) {
	e.Helper()
	if !slices.EqualFunc(got, want, func(a, b store.Record) bool {
		return a.Key == b.Key && a.At.Equal(b.At) && a.ID == b.ID && bytes.Equal(a.Data, b.Data)
	}) {
		e.Fatalf("rows of %q:\n got %v\nwant %v", key, got, want)
	}
}

// wantRecordsAfter checks the rows of a key on the day of a moment, behind the row after, read in pages.
func (e *env) wantRecordsAfter(j store.JournalName, key string, day time.Time, after store.Record, limit int, want ...store.Record) {
	e.Helper()
	var got []store.Record
	for {
		page, more, err := e.RecordsAfter(e.ctx, j, key, store.DayOf(day), after, limit)
		if err != nil {
			e.Fatalf("RecordsAfter: %v", err)
		}
		if len(page) > limit || more && len(page) == 0 {
			e.Fatalf("RecordsAfter: %d rows of at most %d, more %v", len(page), limit, more)
		}
		if got = append(got, page...); !more {
			break
		}
		after = page[len(page)-1]
	}
	e.sameRecords(key, got, want)
}

// wantMarks checks the marks of a list.
func (e *env) wantMarks(list string, want ...store.Mark) {
	e.Helper()
	got, err := e.Marks(e.ctx, list)
	if err != nil {
		e.Fatalf("Marks: %v", err)
	}
	if !slices.EqualFunc(got, want, func(a, b store.Mark) bool { return a.Name == b.Name && a.Compare(b.Position) == 0 }) {
		e.Fatalf("Marks of %q:\n got %v\nwant %v", list, got, want)
	}
}

func (e *env) advance(list string, marks ...store.Mark) {
	e.Helper()
	if err := e.AdvanceMarks(e.ctx, list, marks, keepRecords); err != nil {
		e.Fatalf("AdvanceMarks: %v", err)
	}
}

// mark makes a mark. n is the last octet of the id.
func mark(name string, at time.Time, n byte) store.Mark {
	return store.Mark{Name: name, Position: store.Position{At: at.Truncate(time.Microsecond).UTC(), ID: [16]byte{15: n}}}
}

// noon is the middle of the present day.
func noon() time.Time { return time.Now().UTC().Truncate(24 * time.Hour).Add(12 * time.Hour) }

var journalCases = []testCase{
	{"add and read", func(e *env) {
		at, j := noon(), store.JournalTrace
		a, b, c := record("k", at, 1), record("k", at.Add(time.Microsecond), 2), record("k", at, 3)
		yesterday, other := record("k", at.Add(-24*time.Hour), 4), record("kk", at, 5)
		e.wantRecords(j, "k", at, 10)
		e.addRecords(j, a, b, yesterday, other)
		e.addRecords(j, c)
		e.addRecords(j)
		for _, limit := range []int{1, 2, 10} {
			e.wantRecords(j, "k", at, limit, b, c, a)
		}
		e.wantRecords(j, "k", yesterday.At, 10, yesterday)
		e.wantRecords(j, "kk", at, 10, other)
		e.wantRecords(j, "", at, 10)
		e.wantRecords(store.JournalAudit, "k", at, 10)
		e.addRecords(store.JournalAudit, c)
		e.wantRecords(store.JournalAudit, "k", at, 10, c)
	}},
	{"read onward", func(e *env) {
		at, j := noon(), store.JournalQueue
		a, b, c := record("k", at, 1), record("k", at, 2), record("k", at.Add(time.Microsecond), 0)
		e.wantRecordsAfter(j, "k", at, store.Record{}, 10)
		e.addRecords(j, c, a, b, record("kk", at, 1), record("", at, 1), record("k", at.Add(24*time.Hour), 1), record("k", at.Add(-24*time.Hour), 1))
		for _, limit := range []int{1, 2, 10} {
			e.wantRecordsAfter(j, "k", at, store.Record{}, limit, a, b, c)
			e.wantRecordsAfter(j, "k", at, a, limit, b, c)
			e.wantRecordsAfter(j, "k", at, store.Record{At: at.Add(-time.Hour)}, limit, a, b, c)
		}
		e.wantRecordsAfter(j, "k", at, c, 10)
		e.wantRecords(j, "k", at, 10, c, b, a)
		e.wantRecordsAfter(store.JournalTrace, "k", at, store.Record{}, 10)
		e.addRecords(store.JournalTrace, a)
		e.addRecords(store.JournalAudit, b)
		e.wantRecordsAfter(store.JournalTrace, "k", at, store.Record{}, 10, a)
		e.wantRecordsAfter(store.JournalAudit, "k", at, store.Record{}, 10, b)
	}},
	{"a whole day", func(e *env) {
		first := noon().Add(-12 * time.Hour)
		for _, j := range []store.JournalName{store.JournalTrace, store.JournalAudit, store.JournalQueue} {
			// Two rows at the ends of each half hour.
			var rows []store.Record
			for n := range 48 {
				begin := first.Add(time.Duration(n) * 30 * time.Minute)
				rows = append(rows, record("k", begin, 1), record("k", begin.Add(30*time.Minute-time.Microsecond), 2))
			}
			e.addRecords(j, rows...)
			e.addRecords(j, record("k", first.Add(-time.Microsecond), 3), record("k", first.Add(24*time.Hour), 3))
			newest := slices.Clone(rows)
			slices.Reverse(newest)
			for _, limit := range []int{1, 7, 48, 96, 100} {
				e.wantRecords(j, "k", first, limit, newest...)
				e.wantRecordsAfter(j, "k", first, store.Record{}, limit, rows...)
			}
			for _, n := range []int{0, 11, 12, 13, 50, 95} {
				e.wantRecordsAfter(j, "k", first, rows[n], 5, rows[n+1:]...)
				got, more, err := e.Records(e.ctx, j, "k", store.DayOf(first), rows[n], 100)
				if err != nil || more {
					e.Fatalf("Records before %d: more %v, %v", n, more, err)
				}
				e.sameRecords("k", got, newest[96-n:])
			}
		}
	}},
	{"marks move forward alone", func(e *env) {
		at := noon()
		e.wantMarks("list")
		e.advance("list")
		e.advance("list", mark("b", at, 1), mark("a", at, 2))
		e.advance("lis", mark("t", at, 3))
		e.advance("list2", mark("a", at.Add(time.Hour), 3))
		e.wantMarks("list", mark("a", at, 2), mark("b", at, 1))
		e.advance("list", mark("a", at.Add(-time.Microsecond), 9), mark("b", at.Add(time.Microsecond), 0))
		e.wantMarks("list", mark("a", at, 2), mark("b", at.Add(time.Microsecond), 0))
		e.advance("list", mark("a", at, 2)) // again
		e.advance("list", mark("c", at.Add(2*time.Hour), 1), mark("c", at, 1))
		e.wantMarks("list", mark("a", at, 2), mark("b", at.Add(time.Microsecond), 0), mark("c", at.Add(2*time.Hour), 1))
		e.wantMarks("lis", mark("t", at, 3))
	}},
	{"any name of a mark", func(e *env) {
		at := noon()
		for _, name := range []string{"a", "a\x00", "a\x00b", "\xff\xfe", "ä", "'", strings.Repeat("k", store.MaxRecordKey)} {
			e.advance("names"+name, mark(name, at, 1))
			e.wantMarks("names"+name, mark(name, at, 1))
		}
	}},
	{"a row again", func(e *env) {
		a := record("k", noon(), 1)
		e.addRecords(store.JournalTrace, a, a)
		e.addRecords(store.JournalTrace, a)
		e.wantRecords(store.JournalTrace, "k", a.At, 10, a)
	}},
	{"any key and any content", func(e *env) {
		at := noon()
		for _, key := range []string{"a\x00b", "a", "a\x00", "\xff\xfe", "ä", "'", strings.Repeat("k", store.MaxRecordKey)} {
			r := record(key, at, 1)
			r.Data = bytes.Repeat([]byte{0, 255, '\''}, store.MaxRecordData/3)
			e.addRecords(store.JournalAudit, r)
			e.wantRecords(store.JournalAudit, key, at, 10, r)
		}
		empty := record("empty", at, 1)
		empty.Data = nil
		e.addRecords(store.JournalAudit, empty)
		e.wantRecords(store.JournalAudit, "empty", at, 10, empty)
	}},
	{"ends of days", func(e *env) {
		first := noon().Add(-12 * time.Hour)
		last := record("k", first.Add(-time.Microsecond), 1)
		next := record("k", first, 2)
		e.addRecords(store.JournalTrace, last, next)
		e.wantRecords(store.JournalTrace, "k", last.At, 10, last)
		e.wantRecords(store.JournalTrace, "k", next.At, 10, next)
	}},
	{"many rows of many keys", func(e *env) {
		at, n := noon(), 1000
		if e.suite.Quick {
			n = 300
		}
		var rows, wanted []store.Record
		for i := range n {
			r := record(fmt.Sprintf("key %d", i%7), at.Add(time.Duration(i)*time.Second), byte(i))
			if rows = append(rows, r); i%7 == 3 {
				wanted = append(wanted, r)
			}
		}
		e.addRecords(store.JournalTrace, rows...)
		slices.Reverse(wanted)
		e.wantRecords(store.JournalTrace, "key 3", at, 20, wanted...)
	}},
	{"reopen", func(e *env) {
		if e.suite.Reopen == nil {
			e.Skip("the engine cannot be reopened")
		}
		a := record("k", noon(), 1)
		e.addRecords(store.JournalTrace, a)
		e.Engine = e.suite.Reopen(e.T, e.Engine)
		e.wantRecords(store.JournalTrace, "k", a.At, 10, a)
	}},
	{"marks after a reopen", func(e *env) {
		if e.suite.Reopen == nil {
			e.Skip("the engine cannot be reopened")
		}
		m := mark("m", noon(), 1)
		e.advance("list", m)
		e.Engine = e.suite.Reopen(e.T, e.Engine)
		e.wantMarks("list", m)
		e.advance("list", mark("m", m.At.Add(-time.Hour), 1))
		e.wantMarks("list", m)
	}},
	{"end of the context", func(e *env) {
		a := record("k", noon(), 1)
		e.wantCancelled("AddRecords", e.AddRecords(cancelled(), store.JournalTrace, []store.Record{a}, keepRecords))
		_, _, err := e.Records(cancelled(), store.JournalTrace, "k", store.DayOf(a.At), store.Record{}, 10)
		e.wantCancelled("Records", err)
		_, _, err = e.RecordsAfter(cancelled(), store.JournalTrace, "k", store.DayOf(a.At), store.Record{}, 10)
		e.wantCancelled("RecordsAfter", err)
		e.wantCancelled("AdvanceMarks", e.AdvanceMarks(cancelled(), "list", []store.Mark{mark("m", a.At, 1)}, keepRecords))
		_, err = e.Marks(cancelled(), "list")
		e.wantCancelled("Marks", err)
		if err := e.Close(); err != nil {
			e.Fatal(err)
		}
		if err := e.AddRecords(e.ctx, store.JournalTrace, []store.Record{a}, keepRecords); !errors.Is(err, store.ErrClosed) {
			e.Errorf("AddRecords after Close: %v, want %v", err, store.ErrClosed)
		}
	}},
}
