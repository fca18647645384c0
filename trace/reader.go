package trace

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"popelago/event"
	"popelago/store"
)

// Reader finds records.
type Reader struct {
	cfg    Config
	store  store.Levels[store.Journal]
	keeper *Keeper // may be nil
}

// NewReader makes a Reader. Of cfg, Trace, Audit and Place.Now count. The events that wait in keeper are
// written before an answer; nil: no keeper.
func NewReader(cfg Config, st store.Store, keeper *Keeper) *Reader {
	if cfg.Place.Now == nil {
		cfg.Place.Now = time.Now
	}
	return &Reader{cfg: cfg, store: st.Journal, keeper: keeper}
}

// Range bounds an answer.
type Range struct {
	// From and To bound the times, From included, To excluded. Zero: the oldest record, and the end.
	From, To time.Time
	// Limit bounds the records.
	Limit int
	// Before is Answer.Next of the answer before; empty: the newest record.
	Before string
}

// Answer holds events, the newest first.
type Answer struct {
	Events []event.Event
	// Next is the position behind the last event, for Range.Before; empty: no further event is known.
	Next string
	// Partial: a datacenter could not be asked, and its newest records may be missing.
	Partial bool
	// Damaged counts the records that were read and cannot be decoded. Events has none of them.
	Damaged int
}

// ErrBadPosition: Range.Before is not a position.
var ErrBadPosition = errors.New("not a position in a list of events")

// position returns the text form of the place of a row.
func position(r store.Record) string {
	return strconv.FormatInt(r.At.UnixMicro(), 10) + "-" + hex.EncodeToString(r.ID[:])
}

// parsePosition undoes position. Errors: ErrBadPosition.
func parsePosition(s string) (r store.Record, err error) {
	if s == "" {
		return r, nil
	}
	at, id, _ := strings.Cut(s, "-")
	micros, err := strconv.ParseInt(at, 10, 64)
	octets, hexErr := hex.DecodeString(id)
	if err != nil || hexErr != nil || len(octets) != len(r.ID) || micros <= 0 {
		return r, fmt.Errorf("%w: %q", ErrBadPosition, s)
	}
	r.At = time.UnixMicro(micros)
	copy(r.ID[:], octets)
	return r, nil
}

// ahead is the longest lead of a server's clock whose records are found.
const ahead = 24 * time.Hour

// daysAtOnce is the number of days of a key that are read at the same time.
const daysAtOnce = 8

// read returns the events under some keys of a journal. keep says whether an event belongs to the answer.
func (r *Reader) read(ctx context.Context, j store.JournalName, keys []string, in Range, keep func(event.Event) bool) (a Answer, err error) {
	before, err := parsePosition(in.Before)
	if err != nil {
		return a, err
	}
	if r.keeper != nil {
		flushing, cancel := context.WithTimeout(ctx, r.cfg.FlushPatience)
		r.keeper.Flush(flushing)
		cancel()
	}
	in.From, in.To = in.From.Truncate(time.Microsecond), in.To.Truncate(time.Microsecond) // as rows are
	last := store.DayOf(r.cfg.Place.Now().Add(ahead))
	if !in.To.IsZero() {
		last = min(last, store.DayOf(in.To))
	}
	if !before.At.IsZero() {
		last = min(last, store.DayOf(before.At))
	}
	first := store.DayOf(r.cfg.Place.Now().Add(-r.keepOf(j))) - 1
	if !in.From.IsZero() {
		first = max(first, store.DayOf(in.From))
	}
	s := scan{store: r.store.Wide(), journal: j, keys: keys, in: in, before: before, keep: keep, answer: &a, damaged: map[store.Position]bool{}}
	for ; last >= first && a.Next == ""; last -= daysAtOnce {
		if err := s.days(ctx, last, max(first, last-daysAtOnce+1)); err != nil {
			return a, err
		}
	}
	a.Damaged = len(s.damaged)
	return a, nil
}

func (r *Reader) keepOf(j store.JournalName) time.Duration {
	if j == store.JournalAudit {
		return r.cfg.Audit.Keep
	}
	return r.cfg.Trace.Keep
}

// scan is one read of several days.
type scan struct {
	store   *store.Wide[store.Journal]
	journal store.JournalName
	keys    []string
	in      Range
	before  store.Record
	keep    func(event.Event) bool
	answer  *Answer

	mu sync.Mutex
	// damaged holds the rows that cannot be decoded: a row of several keys counts once.
	damaged map[store.Position]bool
}

// days reads the days from last back to first, and appends their events to the answer.
func (s *scan) days(ctx context.Context, last, first int) error {
	n := last - first + 1
	found := make([][]store.Record, n)
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { found[i], errs[i] = s.day(ctx, last-i) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	s.answer.Partial = s.store.Partial()
	for _, rows := range found {
		for _, row := range rows {
			e, err := decode(row)
			if err != nil || !s.keep(e) {
				continue
			}
			if len(s.answer.Events) == s.in.Limit {
				s.answer.Next = position(s.before)
				return nil
			}
			s.answer.Events, s.before = append(s.answer.Events, e), row
		}
	}
	return nil
}

// day reads the rows of all keys on one day, the newest first.
func (s *scan) day(ctx context.Context, day int) (rows []store.Record, err error) {
	for _, key := range s.keys {
		some, err := s.list(ctx, key, day)
		if err != nil {
			return nil, err
		}
		rows = append(rows, some...)
	}
	slices.SortFunc(rows, compareRows)
	return slices.CompactFunc(rows, func(a, b store.Record) bool { return a.At.Equal(b.At) && a.ID == b.ID }), nil
}

// compareRows is the order of a list: the newest row first.
func compareRows(a, b store.Record) int {
	if c := b.At.Compare(a.At); c != 0 {
		return c
	}
	return strings.Compare(string(b.ID[:]), string(a.ID[:]))
}

// list reads the rows of a key on one day, until the answer must have enough.
func (s *scan) list(ctx context.Context, key string, day int) (rows []store.Record, err error) {
	before := s.before
	if !s.in.To.IsZero() && (before.At.IsZero() || s.in.To.Before(before.At)) {
		before = store.Record{At: s.in.To}
	}
	kept := 0
	for more := true; more && kept <= s.in.Limit; {
		var page []store.Record
		if page, more, err = s.page(ctx, key, day, before, min(s.in.Limit+1, 1000)); err != nil {
			return nil, err
		}
		for _, row := range page {
			if row.At.Before(s.in.From) {
				return rows, nil
			}
			before = row
			switch e, err := decode(row); {
			case err != nil:
				s.pass(row)
			case s.keep(e):
				rows, kept = append(rows, row), kept+1
			}
		}
		more = more && len(page) > 0
	}
	return rows, nil
}

// pass notes a row that cannot be decoded. One damaged record does not withhold the others.
func (s *scan) pass(row store.Record) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.damaged[row.Position()] = true
}

// page reads rows in every datacenter, or in the local one if another cannot be asked.
func (s *scan) page(ctx context.Context, key string, day int, before store.Record, limit int) (rows []store.Record, more bool, err error) {
	err = s.store.Read(func(j store.Journal) (err error) {
		rows, more, err = j.Records(ctx, s.journal, key, day, before, limit)
		return err
	})
	return rows, more, err
}

// decode returns the event of a row. Errors: store.ErrCorrupt.
func decode(row store.Record) (event.Event, error) {
	e, err := event.Decode(row.At, row.Data)
	if err != nil {
		return e, fmt.Errorf("trace: %w: %w", store.ErrCorrupt, err)
	}
	return e, nil
}
