package task

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// removedSearch finds the removed messages of an account without the messages in its maildrop.
type removedSearch struct {
	account account.Maildrop
	since   time.Time
	now     time.Time
	// batch bounds the messages of a run.
	batch int
	// wanted limits the search to some messages; nil: all.
	wanted map[mail.UIDL]bool
	// tried holds messages to be left out.
	tried map[mail.UIDL]bool
	// there collects the wanted messages in the maildrop.
	there map[mail.UIDL]bool
}

func wantedOf(ids []mail.UIDL) map[mail.UIDL]bool {
	if len(ids) == 0 {
		return nil
	}
	wanted := make(map[mail.UIDL]bool, len(ids))
	for _, id := range ids {
		wanted[id] = true
	}
	return wanted
}

// run returns the removals of up to batch messages: for each message all of its removals found, the last
// removal first. The message with the last removal comes first. After fewer than half of batch messages no
// further message is left.
func (s *removedSearch) run(ctx context.Context, st store.Mail) ([][]store.Removal, error) {
	if err := s.noteThere(ctx, st); err != nil {
		return nil, err
	}
	wants := func(u mail.UIDL) bool { return !s.tried[u] && (s.wanted == nil || s.wanted[u]) }
	found, err := s.collect(ctx, st, wants, func(messages removals) bool { return len(messages) >= (s.batch+1)/2 })
	return byRemoval(found), err
}

// page returns the removals of up to limit messages: of the smallest unique-ids behind after, in the order of
// run. next is the largest unique-id of a page with a further page; otherwise empty.
func (s *removedSearch) page(ctx context.Context, st store.Mail, after mail.UIDL, limit int) (list [][]store.Removal, next mail.UIDL, err error) {
	wants := func(u mail.UIDL) bool { return u > after && (next == "" || u <= next) }
	shorten := func(messages removals) bool {
		next = cmp.Or(messages.keepSmallest(limit), next)
		return false
	}
	found, err := s.collect(ctx, st, wants, shorten)
	shorten(found)
	return byRemoval(found), next, err
}

// removals holds removed messages, each with all of its removals found.
type removals map[mail.UIDL][]store.Removal

// collect returns the wanted messages without the messages in the maildrop, which were restored before. Whenever
// batch messages have been found, collect reads the maildrop and drops the messages in it; then enough may drop
// further messages, and true ends the search. So the memory is bounded, however many messages were removed.
func (s *removedSearch) collect(ctx context.Context, st store.Mail, wants func(mail.UIDL) bool, enough func(removals) bool) (removals, error) {
	found := removals{}
	for r, err := range st.RemovedMessages(ctx, s.account.Mailbox, s.since) {
		if err != nil {
			return nil, fmt.Errorf("task: list removed messages of %s: %w", s.account.Address, err)
		}
		u := r.Message.UniqueID()
		if !wants(u) {
			continue
		}
		if found[u] = append(found[u], r); len(found) < s.batch {
			continue
		}
		if err := s.dropListed(ctx, st, found); err != nil {
			return nil, err
		}
		if enough(found) {
			return found, nil
		}
	}
	if err := s.dropListed(ctx, st, found); err != nil {
		return nil, err
	}
	return found, nil
}

// byRemoval returns messages, each with its removals: the last removal first.
func byRemoval(messages removals) (found [][]store.Removal) {
	for _, all := range messages {
		slices.SortFunc(all, func(a, b store.Removal) int { return b.At.Compare(a.At) })
		found = append(found, all)
	}
	slices.SortFunc(found, func(a, b []store.Removal) int {
		return cmp.Or(b[0].At.Compare(a[0].At), a[0].Message.ID.Compare(b[0].Message.ID))
	})
	return found
}

// keepSmallest drops all but the limit smallest unique-ids, and returns the largest of these; empty: it has
// dropped none.
func (messages removals) keepSmallest(limit int) mail.UIDL {
	if len(messages) <= limit {
		return ""
	}
	ids := slices.Sorted(maps.Keys(messages))
	for _, u := range ids[limit:] {
		delete(messages, u)
	}
	return ids[limit-1]
}

// eachListed calls fn with the unique-id of each message in the maildrop.
func (s *removedSearch) eachListed(ctx context.Context, st store.Mail, fn func(mail.UIDL)) error {
	var after mail.MessageID
	if s.account.InForce.Ends() {
		after = mail.MinMessageID(s.account.InForce.Since(s.now))
	}
	return eachBehind(ctx, st, s.account.Mailbox, after, func(row mail.Message) error { fn(row.UniqueID()); return nil })
}

// dropListed removes the candidates in the maildrop.
func (s *removedSearch) dropListed(ctx context.Context, st store.Mail, candidates removals) error {
	if len(candidates) == 0 {
		return nil
	}
	return s.eachListed(ctx, st, func(u mail.UIDL) { delete(candidates, u) })
}

// noteThere notes which wanted messages the maildrop lists.
func (s *removedSearch) noteThere(ctx context.Context, st store.Mail) error {
	if s.wanted == nil || s.there != nil {
		return nil
	}
	there := map[mail.UIDL]bool{}
	err := s.eachListed(ctx, st, func(u mail.UIDL) {
		if s.wanted[u] {
			there[u] = true
		}
	})
	if err == nil {
		s.there = there
	}
	return err
}

// skipRemovedSince leaves out the messages removed after a moment.
func (s *removedSearch) skipRemovedSince(ctx context.Context, st store.Mail, moment time.Time) error {
	for r, err := range st.RemovedMessages(ctx, s.account.Mailbox, moment.Truncate(time.Microsecond).Add(time.Microsecond)) {
		if err != nil {
			return fmt.Errorf("task: list removed messages of %s: %w", s.account.Address, err)
		}
		s.tried[r.Message.UniqueID()] = true
	}
	return nil
}

// byArrival sorts messages by the oldest id of each.
func byArrival(found [][]store.Removal) {
	arrival := func(removals []store.Removal) mail.MessageID {
		return slices.MinFunc(removals, func(a, b store.Removal) int { return a.Message.ID.Compare(b.Message.ID) }).Message.ID
	}
	slices.SortFunc(found, func(a, b []store.Removal) int { return arrival(a).Compare(arrival(b)) })
}
