package cassandra

import (
	"context"
	"fmt"
	"iter"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// maxRemovedHours bounds the hours of the trash that RemovedMessages reads: 400 days, more than the
// trash can be kept for.
const maxRemovedHours = 400 * 24

// parallelRemoved is the count of partitions of the trash that RemovedMessages reads at the same time.
const parallelRemoved = 16

// RemovedMessages implements store.Removals: the slices of the mailbox in the trash of every
// datacenter, hour by hour, the last hour first. Each hour costs one read for each datacenter.
func (m *mailboxes) RemovedMessages(ctx context.Context, mailbox mail.MailboxID, since time.Time) iter.Seq2[store.Removal, error] {
	return func(yield func(store.Removal, error) bool) {
		what := fmt.Sprintf("list removed messages of mailbox %s", mailbox)
		if err := m.run.ready(ctx, what); err != nil {
			yield(store.Removal{}, err)
			return
		}
		datacenters, err := trashDatacenters(ctx, m.run, m.cfg, m.at.reads())
		if err != nil {
			yield(store.Removal{}, err)
			return
		}
		s := &removedSearch{mailboxes: m, what: what, mailbox: mailbox, since: micros(since)}
		for some := range slices.Chunk(s.parts(datacenters), parallelRemoved) {
			if !s.searchAtOnce(ctx, some, yield) {
				return
			}
		}
	}
}

// removedSearch searches the trash for the removals of one mailbox.
type removedSearch struct {
	*mailboxes
	what    string
	mailbox mail.MailboxID
	since   int64
}

// parts lists the partitions that may hold removals, the last hour first. A removal of a message whose
// id is ahead of the clock is in the hour of the id.
func (s *removedSearch) parts(datacenters []string) (parts []trashPart) {
	last := hourOf(micros(s.cfg.Now().Add(store.MaxOthersAhead)))
	first := max(hourOf(s.since), last-maxRemovedHours)
	for hour := last; hour >= first; hour-- {
		for _, datacenter := range datacenters {
			parts = append(parts, trashPart{datacenter: datacenter, hour: hour, shard: trashShard(s.mailbox)})
		}
	}
	return parts
}

// searchAtOnce reads the first page of several partitions at the same time, and then further pages in
// turn. searchAtOnce returns false if the iteration has ended.
func (s *removedSearch) searchAtOnce(ctx context.Context, parts []trashPart, yield func(store.Removal, error) bool) bool {
	pages := make([][]store.Removal, len(parts))
	next := make([]page, len(parts))
	numbers := make([]int, len(parts))
	for i := range numbers {
		numbers[i] = i
	}
	err := atOnce(ctx, parallelRemoved, numbers, func(ctx context.Context, i int) (err error) {
		pages[i], next[i], err = s.read(ctx, parts[i], nil)
		return err
	})
	if err == nil {
		err = s.run.ready(ctx, s.what) // atOnce ends early, without error, with the context
	}
	for i := range parts {
		for err == nil {
			for _, r := range pages[i] {
				if !yield(r, nil) {
					return false
				}
			}
			if next[i] == nil {
				break
			}
			pages[i], next[i], err = s.read(ctx, parts[i], next[i])
		}
	}
	if err != nil {
		yield(store.Removal{}, err)
	}
	return err == nil
}

// read reads one page of the slice of the mailbox in a partition.
func (s *removedSearch) read(ctx context.Context, p trashPart, from page) (rows []store.Removal, next page, err error) {
	next, err = s.run.read(ctx, statement{
		cql: selectRemoved, values: []any{p.datacenter, p.hour, p.shard, gocql.UUID(s.mailbox)}, consistency: s.at.reads(), what: s.what,
	}, 500, from, func(scan func(...any) error) error {
		var id mail.MessageID
		var at *int64
		var entry []byte
		var bare *bool
		if err := scan((*gocql.UUID)(&id), &at, &entry, &bare); err != nil {
			return err
		}
		if at == nil || *at < s.since || entry == nil && bare != nil {
			return nil
		}
		row, err := mail.ParseRow(id, entry)
		if err != nil {
			return fmt.Errorf("cassandra: removed message %s of mailbox %s: %w: %w", id, s.mailbox, store.ErrCorrupt, err)
		}
		rows = append(rows, store.Removal{Message: row, At: moment(at)})
		return nil
	})
	return rows, next, err
}
