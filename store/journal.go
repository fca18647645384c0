package store

import (
	"bytes"
	"cmp"
	"context"
	"slices"
	"time"
)

// JournalName names a journal.
type JournalName string

// The journals.
const (
	// JournalTrace holds the ways of messages.
	JournalTrace JournalName = "trace"
	// JournalAudit holds logins, retrievals, removals and administrative actions.
	JournalAudit JournalName = "audit"
	// JournalQueue holds events that wait for webhooks.
	JournalQueue JournalName = "queue"
)

// Record is a row of a journal. Journal, Key, At and ID name the row.
type Record struct {
	// Key names the list that the row belongs to, up to MaxRecordKey octets.
	Key string
	// At is the time of the row, to the microsecond.
	At time.Time
	// ID distinguishes rows of one moment.
	ID [16]byte
	// Data is the content of the row, up to MaxRecordData octets. The engine does not interpret it.
	Data []byte
}

// Limits of a Record, in octets.
const (
	MaxRecordKey  = 400
	MaxRecordData = 8 << 10
)

// DayOf returns the day of a moment in UTC, counted from 1970-01-01. A journal stores each day apart.
func DayOf(at time.Time) int { return int(at.UnixMicro() / (24 * time.Hour).Microseconds()) }

// Journal is the role for journals. Rows are added, found by key, and expire; no row changes. The times of the
// rows are the only order among servers.
type Journal interface {
	// AddRecords adds rows to a journal. Adding a row again changes nothing. A row lasts for keep at least,
	// unless a later AddRecords to the journal has a shorter keep, and expires about a day later. With an
	// untrusted clock, rows are added, and no row expires early. Without rows, days end all the same. After an error some, all or none of the rows
	// are added; the call may be repeated.
	//
	// Errors: ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	AddRecords(ctx context.Context, j JournalName, rows []Record, keep time.Duration) error

	// Records returns up to limit rows of a key on a day, see DayOf, behind the row before: the latest At
	// first, then the highest ID. Of before, At and ID count; the zero Record stands before the first row.
	// more reports whether further rows of the day may follow.
	//
	// Errors: ErrUnavailable, ErrCorrupt.
	Records(ctx context.Context, j JournalName, key string, day int, before Record, limit int) (rows []Record, more bool, err error)

	// RecordsAfter returns rows as Records does, in the other order: the rows behind the row after, the earliest
	// At first, then the lowest ID. The zero Record stands before the first row.
	RecordsAfter(ctx context.Context, j JournalName, key string, day int, after Record, limit int) (rows []Record, more bool, err error)

	// AdvanceMarks moves marks of a list forward. Of all positions that a mark ever got, the mark keeps the one
	// with the latest At; so calls of several servers need no order. Positions of a mark with equal At must be
	// equal. A mark lasts for keep at least after its last move, and may be lost afterwards. After an error some,
	// all or none of the marks have moved; the call may be repeated.
	//
	// Errors: ErrFull, ErrUnavailable, ErrOutcomeUnknown.
	AdvanceMarks(ctx context.Context, list string, marks []Mark, keep time.Duration) error

	// Marks returns the marks of a list, by name. Errors: ErrUnavailable, ErrCorrupt.
	Marks(ctx context.Context, list string) ([]Mark, error)
}

// Mark is a named position in a list of marks.
type Mark struct {
	// Name distinguishes the marks of a list. List and name have up to MaxRecordKey octets each.
	Name string
	Position
}

// Position is a place in a journal, or any pair of numbers with the same order: by At, to the microsecond, then by
// ID. The zero value stands before all others.
type Position struct {
	At time.Time
	ID [16]byte
}

// Compare returns -1, 0 or 1 as p stands before, at or behind q.
func (p Position) Compare(q Position) int {
	return cmp.Or(cmp.Compare(p.micros(), q.micros()), bytes.Compare(p.ID[:], q.ID[:]))
}

// micros returns the time in microseconds, and 0 for the zero time.
func (p Position) micros() int64 {
	if p.At.IsZero() {
		return 0
	}
	return p.At.UnixMicro()
}

// Position returns the place of a row.
func (r Record) Position() Position { return Position{At: r.At, ID: r.ID} }

// MergeRecords returns the first limit of some rows of a key, each once, in the order of Journal.Records, or of
// Journal.RecordsAfter with oldestFirst. Engines merge the rows of several places. rows is overwritten.
func MergeRecords(rows []Record, limit int, oldestFirst bool) []Record {
	slices.SortFunc(rows, func(a, b Record) int {
		if oldestFirst {
			a, b = b, a
		}
		return b.Position().Compare(a.Position())
	})
	rows = slices.CompactFunc(rows, func(a, b Record) bool { return a.Position().Compare(b.Position()) == 0 })
	clear(rows[min(limit, len(rows)):])
	return rows[:min(limit, len(rows))]
}
