package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"popelago/mail"
	"popelago/store"
)

// domains implements store.Domains at one level.
type domains struct {
	at    level
	run   *runner
	clock *clockWatch
}

// Domain implements store.Domains.
func (t *domains) Domain(ctx context.Context, name string) (store.Domain, error) {
	what := fmt.Sprintf("read domain %s", name)
	found, err := t.readDomains(ctx, statement{
		cql: selectDomain, values: []any{name}, consistency: t.at.reads(), what: what,
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
	}
	if err != nil {
		return store.Domain{}, err
	}
	return found[0], nil
}

// ListDomains implements store.Domains, see readRing.
func (t *domains) ListDomains(ctx context.Context) ([]store.Domain, error) {
	found, err := readRing(ctx, scanDomains, scanDomainsArc, func(ctx context.Context, cql string, values ...any) ([]store.Domain, error) {
		return t.readDomains(ctx, statement{cql: cql, values: values, consistency: t.at.reads(), what: "list the domains"})
	})
	slices.SortFunc(found, func(a, b store.Domain) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

func (t *domains) readDomains(ctx context.Context, st statement) (found []store.Domain, err error) {
	err = t.run.readAll(ctx, st, 1000, func(scan func(...any) error) error {
		var d store.Domain
		var created, retention *int64
		var removed bool
		var durability string
		var settings map[string]string
		err := scan(&d.Name, &created, &removed, &durability, &retention, &settings)
		if err != nil {
			return err
		}
		if d.Settings, err = decodeSettings(settings); err != nil {
			return err
		}
		d.Created, d.Retention = moment(created), span(retention)
		d.Durability = mail.Durability(durability)
		if created != nil && !removed {
			found = append(found, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// RemovedDomains implements store.Domains, see readRing. A removed domain keeps its row.
func (t *domains) RemovedDomains(ctx context.Context) ([]store.RemovedDomain, error) {
	removed, err := readRing(ctx, scanRemoved, scanRemovedArc, func(ctx context.Context, cql string, values ...any) ([]store.RemovedDomain, error) {
		return t.readRemoved(ctx, statement{cql: cql, values: values, consistency: t.at.reads(), what: "list the removed domains"})
	})
	slices.SortFunc(removed, func(a, b store.RemovedDomain) int { return strings.Compare(a.Name, b.Name) })
	return removed, err
}

func (t *domains) readRemoved(ctx context.Context, st statement) (removed []store.RemovedDomain, err error) {
	err = t.run.readAll(ctx, st, 1000, func(scan func(...any) error) error {
		var d store.RemovedDomain
		var marked bool
		var since *int64
		if err := scan(&d.Name, &marked, &since); err != nil {
			return err
		}
		if marked {
			d.Since = moment(since)
			removed = append(removed, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return removed, nil
}

// PutDomain implements store.Domains. A row that another datacenter has made, and that has not arrived here, keeps its
// settings: PutDomain writes only settings that d has. The settings of a row that is marked as removed go first, at the
// moment behind the last change that is known here: where two datacenters add the domain again, the later reset of one
// leaves the settings that the other has written since.
func (t *domains) PutDomain(ctx context.Context, d store.Domain) error {
	what := fmt.Sprintf("put domain %s", d.Name)
	removed, last, err := t.lastChange(ctx, what, d.Name)
	if err != nil {
		return err
	}
	now, err := t.clock.changeTime(ctx, what)
	if err != nil {
		return err
	}
	if removed {
		last++
		reset := &assignments{}
		reset.set("durability", "")
		reset.set("retention", int64(0))
		reset.set("settings", map[string]string{})
		if err := t.write(ctx, what, d.Name, last, reset); err != nil {
			return err
		}
	}
	put := &assignments{}
	put.set("created", micros(d.Created))
	put.set("removed", false)
	if d.Durability != "" {
		put.set("durability", string(d.Durability))
	}
	if d.Retention != mail.AsDomain {
		put.set("retention", d.Retention.Microseconds())
	}
	if len(d.Settings) > 0 {
		put.changeSettings(d.Settings)
		put.touch()
	}
	return t.write(ctx, what, d.Name, max(now, last+1), put)
}

// ChangeDomain implements store.Domains.
func (t *domains) ChangeDomain(ctx context.Context, name string, c store.DomainChange) error {
	what := fmt.Sprintf("change domain %s", name)
	change := &assignments{}
	if c.Durability != nil {
		change.set("durability", string(*c.Durability))
	}
	if c.Retention != nil {
		change.set("retention", c.Retention.Microseconds())
	}
	if len(c.Settings) > 0 {
		change.changeSettings(c.Settings)
		change.touch()
	}
	if len(change.texts) == 0 {
		if err := t.run.ready(ctx, what); err != nil {
			return err
		}
		return nil
	}
	return t.updateDomain(ctx, what, name, change)
}

// RemoveDomain implements store.Domains. The row stays, marked: its timestamps bound the timestamp of the
// next change from below.
func (t *domains) RemoveDomain(ctx context.Context, name string) error {
	remove := &assignments{}
	remove.set("removed", true)
	return t.updateDomain(ctx, fmt.Sprintf("remove domain %s", name), name, remove)
}

// updateDomain changes a domain. The timestamp is at least now, and above the timestamps of all columns.
func (t *domains) updateDomain(ctx context.Context, what, name string, change *assignments) error {
	_, last, err := t.lastChange(ctx, what, name)
	if err != nil {
		return err
	}
	now, err := t.clock.changeTime(ctx, what)
	if err != nil {
		return err
	}
	return t.write(ctx, what, name, max(now, last+1), change)
}

// lastChange returns the latest timestamp of the columns of a domain, and whether the domain is marked as removed; zero
// and false without a row.
func (t *domains) lastChange(ctx context.Context, what, name string) (removed bool, last int64, err error) {
	var times [5]*int64
	if _, err := t.run.readOne(ctx, statement{
		cql: selectDomainTimes, values: []any{name}, consistency: t.at.reads(), what: what,
	}, &removed, &times[0], &times[1], &times[2], &times[3], &times[4]); err != nil {
		return false, 0, err
	}
	for _, t := range times {
		if t != nil {
			last = max(last, *t)
		}
	}
	return removed, last, nil
}

// write makes assignments to a domain.
func (t *domains) write(ctx context.Context, what, name string, timestamp int64, change *assignments) error {
	return t.run.exec(ctx, statement{
		cql: updateDomain(change.texts), values: slices.Concat([]any{timestamp}, change.values, []any{name}), consistency: t.at.writes(), what: what,
	})
}
