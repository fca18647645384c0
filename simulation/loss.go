package simulation

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/event"
	"popelago/mail"
	"popelago/simulation/cluster"
	"popelago/store/cassandra/driver"
)

// errLost is the result of a start of a server whose machine is lost.
var errLost = errors.New("the machine is lost")

// takesOut is the time from the loss of a datacenter until the operator takes it out of the cluster.
const takesOut = 5 * time.Minute

// loseDatacenter destroys the nodes and servers of a datacenter with their data. After a while the operator takes the
// datacenter out of the cluster. The function returned builds the datacenter again. Both follow
// docs/multi-datacenter.md.
func (w *World) loseDatacenter(ctx context.Context, name string) (rebuild func()) {
	for _, s := range w.slots {
		if s.cfg.datacenter == name {
			w.kill(s)
			s.lose()
		}
	}
	lost := w.cluster.LoseDatacenter(name)
	addresses := w.model.lose(name, lost)
	var gone []*drop
	for _, d := range w.given() {
		if addresses[d.address] && w.take(d) {
			w.model.end(d)
			gone = append(gone, d)
		}
	}
	w.story.add("%s is lost, with the only copies of %d rows and of the accounts of %d maildrops", name, len(lost), len(gone))
	o := &operator{w: w, ctx: context.WithoutCancel(ctx), lost: name}
	event.Pause(ctx, takesOut)
	o.takeOut()
	for i, d := range gone {
		w.clients.Go(func() { (&admin{w: w, rand: w.random("loss", i)}).renew(o.ctx, d) })
	}
	return o.rebuild
}

// lose marks the machine of a slot as lost.
func (s *slot) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lost = true
}

// isLost reports whether the machine of a slot is lost.
func (s *slot) isLost() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.lost
}

// operator takes a lost datacenter out of the cluster, and builds it again.
type operator struct {
	w    *World
	ctx  context.Context
	lost string // the datacenter
}

// others lists the datacenters that are not lost.
func (o *operator) others() (list []string) {
	for d := range o.w.cfg.Datacenters {
		if name := datacenter(d); name != o.lost {
			list = append(list, name)
		}
	}
	return list
}

// takeOut takes the datacenter out of the keyspace, out of the cluster, and out of the settings of the other servers.
func (o *operator) takeOut() {
	o.alter(o.others())
	o.w.cluster.RemoveDatacenter(o.lost)
	o.restart(func(c *serverConfig) {
		c.failover = slices.DeleteFunc(slices.Clone(c.failover), func(name string) bool { return name == o.lost })
		if c.datacenter == o.others()[0] {
			c.writtenOff = []string{o.lost}
		}
	})
}

// rebuild adds the datacenter again, with new nodes and servers.
func (o *operator) rebuild() {
	w := o.w
	o.restart(func(c *serverConfig) { c.writtenOff = nil })
	w.cluster.JoinDatacenter(o.lost)
	time.Sleep(30 * time.Second) // the nodes hear of each other
	all := append(o.others(), o.lost)
	slices.Sort(all)
	o.alter(all)
	for _, node := range w.cluster.of(o.lost) {
		o.until("rebuild "+node, func() error {
			var errs []error
			for _, from := range o.others() {
				err := w.cluster.Rebuild(node, from)
				if err == nil {
					return nil
				}
				errs = append(errs, err)
			}
			return errors.Join(errs...)
		})
	}
	o.until("repair", w.repair)
	o.restart(func(c *serverConfig) { c.failover = w.failoverOf(c.datacenter) })
	for _, s := range w.slots {
		if s.cfg.datacenter == o.lost {
			s.turn.Lock()
			s.cfg.dir += "-new"
			s.turn.Unlock()
			o.until("make the folder of "+s.cfg.name, s.makeDir)
			s.mu.Lock()
			s.lost = false
			s.mu.Unlock()
			_ = w.revive(o.ctx, s)
		}
	}
	w.story.add("%s is built again", o.lost)
}

// restart changes the settings of all servers of the other datacenters, and restarts one server after the other.
func (o *operator) restart(change func(*serverConfig)) {
	for _, s := range o.w.slots {
		if s.cfg.datacenter == o.lost {
			continue
		}
		s.turn.Lock()
		change(&s.cfg)
		s.turn.Unlock()
		if s.process() != nil {
			o.w.kill(s)
			_ = o.w.revive(o.ctx, s)
		}
	}
}

// alter changes the replication of the keyspace.
func (o *operator) alter(datacenters []string) {
	replication := "{'class': 'NetworkTopologyStrategy'"
	for _, name := range datacenters {
		replication += fmt.Sprintf(", '%s': %d", name, o.w.cfg.replicas())
	}
	cql := "ALTER KEYSPACE " + keyspace + " WITH replication = " + replication + "}"
	at := o.others()[0]
	o.until(cql, func() error {
		s, err := o.w.cluster.Server("operator", at, 0).Open(o.ctx, driver.Options{Hosts: o.w.cluster.contacts(at), Datacenter: at})
		if err != nil {
			return err
		}
		defer s.Close()
		return driver.Exec(o.ctx, s, driver.Statement{CQL: cql, Consistency: gocql.One})
	})
}

// until repeats a step every minute until it succeeds.
func (o *operator) until(what string, step func() error) {
	for {
		err := step()
		o.w.story.add("operator: %s: %s", what, short(err))
		if err == nil {
			return
		}
		time.Sleep(time.Minute)
	}
}

// lose notes what is lost with a datacenter, and returns the addresses whose accounts changed there alone.
func (m *model) lose(at string, rows []cluster.LostRow) (addresses map[mail.Address]bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	addresses = map[mail.Address]bool{}
	entries := map[entry]cluster.LostChange{}
	contents := map[mail.UIDL]bool{}
	for _, row := range rows {
		message, _ := row.Key["message"].(gocql.UUID)
		uidl := mail.MessageID(message).UIDL()
		switch row.Table {
		case "mailbox":
			mailbox, _ := row.Key["mailbox"].(gocql.UUID)
			entries[entry{mail.MailboxID(mailbox), uidl}] = row.Change
		case "content":
			if row.Change == cluster.LostAddition {
				contents[uidl] = true
			}
		case "address":
			local, _ := row.Key["local"].(string)
			hosted, _ := row.Key["domain"].(string)
			addresses[mail.Address{Local: local, Domain: hosted}] = true
		}
	}
	for _, d := range sorted(m.drops) {
		if addresses[d.address] && d.ending.IsZero() {
			m.tally.LostAccounts++
		}
		m.loseMail(d, at, entries, contents)
	}
	return addresses
}

// entry names a message in a mailbox.
type entry struct {
	mailbox mail.MailboxID
	uidl    mail.UIDL
}

// loseMail notes what a maildrop lost with a datacenter.
func (m *model) loseMail(d *drop, at string, entries map[entry]cluster.LostChange, contents map[mail.UIDL]bool) {
	onlyThere := func(places ...string) bool { return slices.Contains(places, at) || slices.Contains(places, several) }
	for _, c := range sorted(d.copies) {
		if c.acked.IsZero() || c.lost || !onlyThere(c.at) {
			continue
		}
		c.lost = slices.ContainsFunc(c.ids, func(id mail.MessageID) bool {
			return contents[id.UIDL()] || entries[entry{d.mailbox, id.UIDL()}] == cluster.LostAddition
		})
		if c.lost {
			m.tally.LostMessages++
			m.story.add("only %s had message %d for %s", at, c.number, d.name)
		}
	}
	for uidl, l := range sorted(d.unique) {
		l.empty = l.empty || contents[uidl]
		if entries[entry{d.mailbox, uidl}] == cluster.LostRemoval && onlyThere(slices.Collect(maps.Keys(l.removed))...) {
			delete(l.removed, at)
			delete(l.removed, several)
			m.tally.LostRemovals++
			m.story.add("only %s had the removal of %s of message %d from %s", at, uidl, l.number, d.name)
		}
	}
}

// emptied reports whether only a lost datacenter had the content of a message.
func (m *model) emptied(d *drop, uidl mail.UIDL) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return d.unique[uidl] != nil && d.unique[uidl].empty
}
