package cassandra

import (
	"context"
	"slices"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/mail"
	"popelago/store"
)

// lateHours is how many hours before those still to be worked off may hold removals, too: of a
// server whose clock was behind the cluster's while nothing told it so.
const lateHours = 7 * 24

// naming is what the trash says about some contents.
type naming struct {
	by     map[mail.MessageID][]mail.MailboxID // who removed each, as far as that is in the trash
	parts  map[trashPart]bool                  // where that was found
	unread map[mail.MessageID]*obstacle        // those that may be named in what could not be read
}

// findNamed looks at ALL which of some contents the trash names. A removal is in the trash of the
// shard of its mailbox, in an hour not before the message (see trashHour), so the partitions of
// these hours alone are asked, each for the messages of one mailbox. For each mailbox that ends
// where all its messages were found.
func (r *sweeper) findNamed(ctx context.Context, contents map[mail.MessageID]stored) (naming, error) {
	found := naming{map[mail.MessageID][]mail.MailboxID{}, map[trashPart]bool{}, map[mail.MessageID]*obstacle{}}
	datacenters, err := r.trashDatacenters(ctx)
	if err != nil {
		return found, err
	}
	byMailbox := map[mail.MailboxID][]mail.MessageID{}
	for id, c := range contents {
		for _, mailbox := range c.recipients {
			byMailbox[mailbox] = append(byMailbox[mailbox], id)
		}
	}
	begins, err := r.trashBegins(ctx, datacenters, byMailbox)
	if err != nil {
		return found, err
	}
	err = atOnce(ctx, parallelProofs, sortedIDs(byMailbox), func(ctx context.Context, mailbox mail.MailboxID) error {
		return r.findNamedBy(ctx, &found, mailbox, distinct(byMailbox[mailbox]), datacenters, begins)
	})
	return found, err
}

// findNamedBy is findNamed for some messages of one mailbox, hour by hour from that of the first.
func (r *sweeper) findNamedBy(ctx context.Context, found *naming, mailbox mail.MailboxID, ids []mail.MessageID, datacenters []string, begins map[string]int) error {
	shard := trashShard(mailbox)
	last := hourOf(micros(r.now.Add(store.MaxClockSkew)))
	for hour := hourOf(ids[0].Micros()); hour <= last && len(ids) > 0; hour++ {
		n := countUpTo(ids, mail.MinMessageID(startOfHour(hour+1)))
		if n == 0 {
			hour = hourOf(ids[0].Micros()) - 1
			continue
		}
		for _, datacenter := range datacenters {
			if hour < begins[trashName(datacenter, shard)] {
				continue
			}
			p := trashPart{datacenter, hour, shard}
			named, err := r.readNamed(ctx, found, p, mailbox, ids[:n])
			if err != nil {
				return err
			}
			ids = slices.DeleteFunc(ids, func(id mail.MessageID) bool { return slices.Contains(named, id) })
			n -= len(named)
		}
	}
	return nil
}

// readNamed asks one partition of the trash for some messages of a mailbox, and returns those that
// are there.
func (r *sweeper) readNamed(ctx context.Context, found *naming, p trashPart, mailbox mail.MailboxID, ids []mail.MessageID) (named []mail.MessageID, err error) {
	for some := range slices.Chunk(ids, 99) {
		n := len(named)
		o, err := r.prove(ctx, statement{
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
		r.mu.Lock()
		if o != nil {
			named = named[:n]
			for _, id := range some {
				found.unread[id] = o
			}
		}
		for _, id := range named[n:] {
			found.by[id] = append(found.by[id], mailbox)
			found.parts[p] = true
		}
		r.mu.Unlock()
	}
	return named, nil
}

// trashDatacenters lists all datacenters that may have trash: those of the keyspace now, this one,
// and those written off.
func (r *sweeper) trashDatacenters(ctx context.Context) ([]string, error) {
	var replication map[string]string
	if _, err := r.readOne(ctx, statement{
		cql: selectReplication, values: []any{r.cfg.Keyspace}, consistency: gocql.LocalOne, what: "sweep: read the replication",
	}, &replication); err != nil {
		return nil, err
	}
	list := slices.Concat(r.trashOf(), sortedKeys(replication))
	list = slices.DeleteFunc(list, func(name string) bool { return name == "class" })
	slices.Sort(list)
	return slices.Compact(list), nil
}

// trashBegins reads for the shards of some mailboxes the first hour that may hold removals.
func (r *sweeper) trashBegins(ctx context.Context, datacenters []string, mailboxes map[mail.MailboxID][]mail.MessageID) (map[string]int, error) {
	begins := map[string]int{}
	for mailbox := range mailboxes {
		for _, datacenter := range datacenters {
			name := trashName(datacenter, trashShard(mailbox))
			if _, known := begins[name]; known {
				continue
			}
			next, _, err := r.shardProgress(ctx, name)
			if err != nil {
				return nil, err
			}
			begins[name] = next - lateHours // next is 0 if it could not be read
		}
	}
	return begins, nil
}
