package store

import (
	"context"
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
	// untrusted clock, rows are added, and no row expires early. After an error some, all or none of the rows
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
}
