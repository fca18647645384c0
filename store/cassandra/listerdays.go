package cassandra

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/mail"
)

// Days of a bulk mailbox read at the same time: few at first, because most lists end today, then twice
// as many each time while the days are nearly empty.
const (
	parallelDays    = 2
	maxParallelDays = 16
)

// list reads rows of a mailbox in all its segments. guess is the known bulk_since; zero: none. With a
// guess the first days are read at the same time as the ordinary segment.
func (l *lister) list(ctx context.Context, what listing, guess int64) (listed, error) {
	segments := []int{ordinary}
	if guess != 0 {
		first, last, err := l.days(what, guess)
		if err != nil {
			return listed{}, err
		}
		for day := first; day <= last && len(segments) <= parallelDays; day++ {
			segments = append(segments, day)
		}
	}
	pages, err := l.listSegments(ctx, what, segments)
	if err != nil {
		return listed{}, err
	}
	p := pages[ordinary]
	if !what.upTo.IsZero() {
		p.since = earliest(p.since, guess) // a slice with an end may lack the marker
	}
	if p.since == 0 {
		return p, nil
	}
	pages[ordinary] = p
	return l.listDays(ctx, what, pages)
}

// days returns the first and last day to be read of a bulk mailbox. Errors: store.ErrClock.
func (l *lister) days(what listing, since int64) (first, last int, err error) {
	end, err := l.clock.endOfTime()
	if err != nil {
		return 0, 0, err
	}
	first = dayOf(max(since, what.from.Micros()))
	last = dayOf(micros(end.Add(24 * time.Hour)))
	if !what.upTo.IsZero() {
		last = min(last, dayOfID(what.upTo))
	}
	return max(first, ordinary+1), last, nil
}

// listSegments reads segments at the same time.
func (l *lister) listSegments(ctx context.Context, what listing, segments []int) (map[int]listed, error) {
	if len(segments) == 1 {
		p, err := l.listSegment(ctx, what, segments[0])
		return map[int]listed{segments[0]: p}, err
	}
	read := make([]listed, len(segments))
	group, ctx := errgroup.WithContext(ctx)
	for i, segment := range segments {
		group.Go(func() (err error) {
			read[i], err = l.listSegment(ctx, what, segment)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	pages := make(map[int]listed, len(segments))
	for i, segment := range segments {
		pages[segment] = read[i]
	}
	return pages, nil
}

// listDays adds the rows of days to a page of the ordinary segment of a bulk mailbox, day by day until
// the page is full. pages may hold some days already.
func (l *lister) listDays(ctx context.Context, what listing, pages map[int]listed) (listed, error) {
	m := merging{old: pages[ordinary]}
	var err error
	if m.next, m.last, err = l.days(what, m.old.since); err != nil {
		return listed{}, err
	}
	for n := parallelDays; m.unread() && !m.enough(what.limit); n = min(2*n, maxParallelDays) {
		var missing []int
		for day := m.next; day <= min(m.next+n-1, m.last); day++ {
			if _, ok := pages[day]; !ok {
				missing = append(missing, day)
			}
		}
		more, err := l.listSegments(ctx, what, missing)
		if err != nil {
			return listed{}, err
		}
		maps.Copy(pages, more)
		for m.unread() && !m.enough(what.limit) {
			p, ok := pages[m.next]
			if !ok {
				break
			}
			m.add(p)
		}
	}
	return m.result(what.limit), nil
}

// merging merges the ordinary segment with days. Days are added in order.
type merging struct {
	old  listed // of the ordinary segment
	days []mail.Message
	next int            // the first day not added
	last int            // the last possible day
	end  mail.MessageID // the last day may have rows after end; zero: all of its rows were read
}

func (m *merging) add(p listed) {
	m.days = append(m.days, p.rows...)
	m.next++
	if p.more {
		m.end = p.rows[len(p.rows)-1].ID
	}
}

// unread reports whether days remain to be added.
func (m *merging) unread() bool { return m.next <= m.last }

// settled counts the rows of the ordinary segment, and of days, that come before all unread rows.
func (m *merging) settled() (old, days int) {
	old, days = len(m.old.rows), len(m.days)
	if m.old.more {
		days = rowsUpTo(m.days, m.old.rows[old-1].ID)
	}
	if !m.end.IsZero() {
		old = rowsUpTo(m.old.rows, m.end)
	}
	if m.unread() {
		old = min(old, countBefore(m.old.rows, m.next))
	}
	return old, days
}

// countBefore counts the rows of days before day.
func countBefore(rows []mail.Message, day int) int {
	n, _ := slices.BinarySearchFunc(rows, day, func(row mail.Message, day int) int { return dayOfID(row.ID) - day })
	return n
}

// rowsUpTo counts the rows up to an id, inclusive.
func rowsUpTo(rows []mail.Message, last mail.MessageID) int {
	n, found := slices.BinarySearchFunc(rows, last, func(row mail.Message, id mail.MessageID) int { return row.ID.Compare(id) })
	if found {
		n++
	}
	return n
}

// enough reports whether the page is full, or must end because a day was read in part.
func (m *merging) enough(limit int) bool {
	old, days := m.settled()
	return old+days >= limit || !m.end.IsZero()
}

// result returns the page.
func (m *merging) result(limit int) listed {
	nOld, nDays := m.settled()
	old, days := m.old.rows[:nOld], m.days[:nDays]
	p := listed{since: m.old.since, rows: make([]mail.Message, 0, min(limit, nOld+nDays))}
	for len(p.rows) < limit && len(old)+len(days) > 0 {
		order := -1
		switch {
		case len(old) == 0:
			order = 1
		case len(days) > 0:
			order = old[0].ID.Compare(days[0].ID)
		}
		if order > 0 {
			p.rows = append(p.rows, days[0])
			p.dayOnly = append(p.dayOnly, days[0].ID)
			days = days[1:]
			continue
		}
		p.rows = append(p.rows, old[0])
		old = old[1:]
		if order == 0 {
			days = days[1:] // in both
		}
	}
	p.more = len(old)+len(days) > 0 || m.unread() || m.old.more || !m.end.IsZero()
	return p
}
