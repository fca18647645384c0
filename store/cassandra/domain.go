package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
)

// Domain implements store.Domains.
func (s *Store) Domain(ctx context.Context, name string) (store.Domain, error) {
	what := fmt.Sprintf("read domain %s", name)
	found, err := s.readDomains(ctx, statement{
		cql: selectDomain, values: []any{name}, consistency: gocql.LocalQuorum, what: what,
	})
	if err == nil && len(found) == 0 {
		err = fmt.Errorf("cassandra: %s: %w", what, store.ErrNotFound)
	}
	if err != nil {
		return store.Domain{}, err
	}
	return found[0], nil
}

// ListDomains implements store.Domains.
func (s *Store) ListDomains(ctx context.Context) ([]store.Domain, error) {
	found, err := s.readDomains(ctx, statement{cql: scanDomains, consistency: gocql.LocalQuorum, what: "list the domains"})
	slices.SortFunc(found, func(a, b store.Domain) int { return strings.Compare(a.Name, b.Name) })
	return found, err
}

func (s *Store) readDomains(ctx context.Context, st statement) (found []store.Domain, err error) {
	err = s.readAll(ctx, st, 1000, func(scan func(...any) error) error {
		var d store.Domain
		var created *int64
		var removed bool
		if err := scan(&d.Name, &created, &removed); err != nil {
			return err
		}
		if d.Created = moment(created); created != nil && !removed {
			found = append(found, d)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return found, nil
}

// PutDomain implements store.Domains.
func (s *Store) PutDomain(ctx context.Context, d store.Domain) error {
	what := fmt.Sprintf("put domain %s", d.Name)
	timestamp, err := s.domainTimestamp(ctx, what, d.Name)
	if err != nil {
		return err
	}
	return s.exec(ctx, statement{
		cql: updateDomain, values: []any{timestamp, micros(d.Created), d.Name}, consistency: gocql.LocalQuorum, what: what,
	})
}

// RemoveDomain implements store.Domains. The row stays, marked: of a row that is gone nobody
// could tell the timestamp that the next one has to exceed.
func (s *Store) RemoveDomain(ctx context.Context, name string) error {
	what := fmt.Sprintf("remove domain %s", name)
	timestamp, err := s.domainTimestamp(ctx, what, name)
	if err != nil {
		return err
	}
	return s.exec(ctx, statement{
		cql: removeDomain, values: []any{timestamp, name}, consistency: gocql.LocalQuorum, what: what,
	})
}

// domainTimestamp is not before now, and above all columns of a domain.
func (s *Store) domainTimestamp(ctx context.Context, what, name string) (int64, error) {
	var created, removed *int64
	_, err := s.readOne(ctx, statement{
		cql: selectDomainTimes, values: []any{name}, consistency: gocql.LocalQuorum, what: what,
	}, &created, &removed)
	timestamp := micros(s.now())
	for _, t := range []*int64{created, removed} {
		if t != nil {
			timestamp = max(timestamp, *t+1)
		}
	}
	return timestamp, err
}
