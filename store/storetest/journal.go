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
	if !slices.EqualFunc(got, want, func(a, b store.Record) bool {
		return a.Key == b.Key && a.At.Equal(b.At) && a.ID == b.ID && bytes.Equal(a.Data, b.Data)
	}) {
		e.Fatalf("Records of %q:\n got %v\nwant %v", key, got, want)
	}
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
	{"end of the context", func(e *env) {
		a := record("k", noon(), 1)
		e.wantCancelled("AddRecords", e.AddRecords(cancelled(), store.JournalTrace, []store.Record{a}, keepRecords))
		_, _, err := e.Records(cancelled(), store.JournalTrace, "k", store.DayOf(a.At), store.Record{}, 10)
		e.wantCancelled("Records", err)
		if err := e.Close(); err != nil {
			e.Fatal(err)
		}
		if err := e.AddRecords(e.ctx, store.JournalTrace, []store.Record{a}, keepRecords); !errors.Is(err, store.ErrClosed) {
			e.Errorf("AddRecords after Close: %v, want %v", err, store.ErrClosed)
		}
	}},
}
