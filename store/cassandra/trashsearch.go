package cassandra

import (
	"context"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// lateHours is the count of hours before the next hour to be swept that may still hold removals. A
// server whose clock was behind unnoticed wrote them.
const lateHours = 7 * 24

// trashSearch searches the trash for removals of contents.
type trashSearch struct {
	*sweepRun
	datacenters []string       // that may have trash
	begins      map[string]int // first hour that may hold removals, by trashName

	by     map[mail.MessageID][]mail.MailboxID // the mailboxes with a removal in the trash
	parts  map[trashPart]bool                  // where removals were found
	unread map[mail.MessageID]*obstacle        // contents that an unread partition may name
}

// searchTrash reads at ALL which contents the trash names. A removal is in the shard of its mailbox, in
// an hour not before the message (see trashHour). Only these partitions are read, each for the
// messages of one mailbox. The search for a mailbox ends once all of its messages were found.
func (r *sweepRun) searchTrash(ctx context.Context, contents map[mail.MessageID]stored) (*trashSearch, error) {
	s := &trashSearch{
		sweepRun: r, by: map[mail.MessageID][]mail.MailboxID{}, parts: map[trashPart]bool{}, unread: map[mail.MessageID]*obstacle{},
	}
	byMailbox := byMailbox(contents)
	var err error
	if s.datacenters, err = trashDatacenters(ctx, s.run, s.cfg, gocql.LocalQuorum); err != nil {
		return s, err
	}
	if s.begins, err = s.readBegins(ctx, byMailbox); err != nil {
		return s, err
	}
	err = atOnce(ctx, parallelProofs, sortedIDs(byMailbox), func(ctx context.Context, mailbox mail.MailboxID) error {
		return s.searchMailbox(ctx, mailbox, distinct(byMailbox[mailbox]))
	})
	return s, err
}

// searchMailbox searches for messages of one mailbox, hour by hour from the hour of the first message.
func (s *trashSearch) searchMailbox(ctx context.Context, mailbox mail.MailboxID, ids []mail.MessageID) error {
	shard := trashShard(mailbox)
	last := hourOf(micros(s.now.Add(store.MaxOthersAhead)))
	for hour := hourOf(ids[0].Micros()); hour <= last && len(ids) > 0; hour++ {
		n := countUpTo(ids, mail.MinMessageID(startOfHour(hour+1)))
		if n == 0 {
			hour = hourOf(ids[0].Micros()) - 1
			continue
		}
		for _, datacenter := range s.datacenters {
			if hour < s.begins[trashName(datacenter, shard)] {
				continue
			}
			named, err := s.readNamed(ctx, trashPart{datacenter, hour, shard}, mailbox, ids[:n])
			if err != nil {
				return err
			}
			ids = slices.DeleteFunc(ids, func(id mail.MessageID) bool { return slices.Contains(named, id) })
			n -= len(named)
		}
	}
	return nil
}

// readNamed reads which messages of a mailbox one partition of the trash names.
func (s *trashSearch) readNamed(ctx context.Context, p trashPart, mailbox mail.MailboxID, ids []mail.MessageID) (named []mail.MessageID, err error) {
	for some := range slices.Chunk(ids, 99) {
		n := len(named)
		o, err := s.prove(ctx, statement{
			cql: selectNamed, values: []any{p.datacenter, p.hour, p.shard, gocql.UUID(mailbox), uuids(some)}, what: "sweep: look into the trash",
		}, len(some)+1, func(scan func(...any) error) error {
			var id mail.MessageID
			err := scan((*gocql.UUID)(&id))
			named = append(named, id)
			return err
		})
		if err != nil {
			return nil, err
		}
		s.mu.Lock()
		if o != nil {
			named = named[:n]
			for _, id := range some {
				s.unread[id] = o
			}
		}
		for _, id := range named[n:] {
			s.by[id] = append(s.by[id], mailbox)
			s.parts[p] = true
		}
		s.mu.Unlock()
	}
	return named, nil
}

// readBegins reads the first hour that may hold removals, for the shards of mailboxes.
func (s *trashSearch) readBegins(ctx context.Context, mailboxes map[mail.MailboxID][]mail.MessageID) (map[string]int, error) {
	begins := map[string]int{}
	for _, mailbox := range sortedIDs(mailboxes) {
		for _, datacenter := range s.datacenters {
			name := trashName(datacenter, trashShard(mailbox))
			if _, known := begins[name]; known {
				continue
			}
			next, _, err := s.shardProgress(ctx, name)
			if err != nil {
				return nil, err
			}
			begins[name] = next - lateHours // next is 0 if the progress could not be read
		}
	}
	return begins, nil
}
