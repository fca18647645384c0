package cassandra

import (
	"context"
	"maps"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"popelago/mail"
)

// How many days of a bulk mailbox are read at the same time: few at first, because most lists
// end today, then twice as many each time while days turn out to be nearly empty.
const (
	parallelDays    = 2
	maxParallelDays = 16
)

// list reads rows of a mailbox in all its segments. guess is since when it may be bulk, as far
// as is known: then the first days are read at the same time as the ordinary segment.
func (s *Store) list(ctx context.Context, l listing, guess int64) (listed, error) {
	segments := []int{ordinary}
	if guess != 0 {
		first, last, err := s.days(l, guess)
		if err != nil {
			return listed{}, err
		}
		for day := first; day <= last && len(segments) <= parallelDays; day++ {
			segments = append(segments, day)
		}
	}
	pages, err := s.listSegments(ctx, l, segments)
	if err != nil {
		return listed{}, err
	}
	p := pages[ordinary]
	if !l.upTo.IsZero() {
		p.since = earliest(p.since, guess) // a slice with an end need not hold the marker
	}
	if p.since == 0 {
		return p, nil
	}
	pages[ordinary] = p
	return s.listDays(ctx, l, pages)
}

// days are the first and last day to be read of a bulk mailbox. Errors: store.ErrClock.
func (s *Store) days(l listing, since int64) (first, last int, err error) {
	now, err := s.latest()
	if err != nil {
		return 0, 0, err
	}
	first = dayOf(max(since, l.from.Micros()))
	last = dayOf(micros(now.Add(24 * time.Hour)))
	if !l.upTo.IsZero() {
		last = min(last, dayOfID(l.upTo))
	}
	return max(first, ordinary+1), last, nil
}

// listSegments reads some segments at the same time.
func (s *Store) listSegments(ctx context.Context, l listing, segments []int) (map[int]listed, error) {
	if len(segments) == 1 {
		p, err := s.listSegment(ctx, l, segments[0])
		return map[int]listed{segments[0]: p}, err
	}
	read := make([]listed, len(segments))
	group, ctx := errgroup.WithContext(ctx)
	for i, segment := range segments {
		group.Go(func() (err error) {
			read[i], err = s.listSegment(ctx, l, segment)
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

// listDays adds to a page of the ordinary segment of a bulk mailbox what is in those of days,
// day by day until there is enough. pages may hold some of them.
func (s *Store) listDays(ctx context.Context, l listing, pages map[int]listed) (listed, error) {
	m := merging{old: pages[ordinary]}
	var err error
	if m.next, m.last, err = s.days(l, m.old.since); err != nil {
		return listed{}, err
	}
	for n := parallelDays; m.unread() && !m.enough(l.limit); n = min(2*n, maxParallelDays) {
		var missing []int
		for day := m.next; day <= min(m.next+n-1, m.last); day++ {
			if _, ok := pages[day]; !ok {
				missing = append(missing, day)
			}
		}
		more, err := s.listSegments(ctx, l, missing)
		if err != nil {
			return listed{}, err
		}
		maps.Copy(pages, more)
		for m.unread() && !m.enough(l.limit) {
			p, ok := pages[m.next]
			if !ok {
				break
			}
			m.add(p)
		}
	}
	return m.result(l.limit), nil
}

// merging puts the ordinary segment and days together. Days are added in their order.
type merging struct {
	old  listed // of the ordinary segment
	days []mail.Message
	next int            // the first day that was not added
	last int            // the last that there can be
	end  mail.MessageID // there may be more behind this one in the last day; zero: all was read
}

func (m *merging) add(p listed) {
	m.days = append(m.days, p.rows...)
	m.next++
	if p.more {
		m.end = p.rows[len(p.rows)-1].ID
	}
}

// unread reports whether there are days that were not added.
func (m *merging) unread() bool { return m.next <= m.last }

// settled is how many of the rows of the ordinary segment, and of days, come before everything
// that was not read.
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

// countBefore is how many rows are of days before one.
func countBefore(rows []mail.Message, day int) int {
	n, _ := slices.BinarySearchFunc(rows, day, func(row mail.Message, day int) int { return dayOfID(row.ID) - day })
	return n
}

// rowsUpTo is how many rows are not behind an id.
func rowsUpTo(rows []mail.Message, last mail.MessageID) int {
	n, found := slices.BinarySearchFunc(rows, last, func(row mail.Message, id mail.MessageID) int { return row.ID.Compare(id) })
	if found {
		n++
	}
	return n
}

// enough reports whether there is a whole page, or no way to go on but from its end.
func (m *merging) enough(limit int) bool {
	old, days := m.settled()
	return old+days >= limit || !m.end.IsZero()
}

// result is the page.
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
			p.inDays = append(p.inDays, days[0].ID)
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
