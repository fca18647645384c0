package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// bareKeyspace is the keyspace of a run.
type bareKeyspace struct {
	name    string
	session *gocql.Session
}

// schemaTimeout limits the time of a change of the schema.
const schemaTimeout = time.Minute

// makeBareKeyspace makes the keyspace with its tables. The caller calls drop.
func makeBareKeyspace(ctx context.Context, cfg *bareConfig) (*bareKeyspace, error) {
	d := cfg.driver(cfg.datacenters[0])
	d.NumConns = 1
	d.Timeout, d.WriteTimeout, d.MaxWaitSchemaAgreement = schemaTimeout, schemaTimeout, schemaTimeout
	session, err := connect(d, cfg.datacenters[0])
	if err != nil {
		return nil, err
	}
	k := &bareKeyspace{name: cfg.keyspace, session: session}
	if err := k.create(ctx, cfg.replication); err != nil {
		session.Close()
		return nil, err
	}
	for _, table := range slices.Sorted(maps.Keys(bareTables)) {
		if table == bareMark {
			continue
		}
		if err := k.exec(ctx, createBareTable(k.name, table)); err != nil {
			return nil, errors.Join(fmt.Errorf("make table %s: %w", table, err), k.drop())
		}
	}
	return k, nil
}

// create makes the keyspace and its mark. An existing keyspace without the mark is refused.
func (k *bareKeyspace) create(ctx context.Context, replication map[string]int) error {
	err := k.exec(ctx, createBareKeyspace(k.name, replication))
	var exists *gocql.RequestErrAlreadyExists
	if errors.As(err, &exists) {
		ours, foreign, lerr := k.tables(ctx)
		if lerr != nil {
			return fmt.Errorf("look at keyspace %s: %w", k.name, lerr)
		}
		if !ours || foreign != "" {
			return fmt.Errorf("keyspace %s exists and was not made by this command: it is left alone", k.name)
		}
		if err = k.exec(ctx, calmBareKeyspace(k.name)); err == nil {
			err = k.exec(ctx, dropBareKeyspace(k.name))
		}
		if err == nil {
			err = k.exec(ctx, createBareKeyspace(k.name, replication))
		}
	}
	if err == nil {
		err = k.exec(ctx, createBareTable(k.name, bareMark))
	}
	if err != nil {
		return fmt.Errorf("make keyspace %s: %w", k.name, err)
	}
	return nil
}

// tables reports whether the keyspace has the mark, and names a table of other origin.
func (k *bareKeyspace) tables(ctx context.Context) (ours bool, foreign string, err error) {
	rows := k.session.Query(selectBareTables, k.name).Consistency(gocql.One).IterContext(ctx)
	var table string
	for rows.Scan(&table) {
		if _, known := bareTables[table]; !known {
			foreign = table
		}
		ours = ours || table == bareMark
	}
	return ours, foreign, rows.Close()
}

// exec changes the schema.
func (k *bareKeyspace) exec(ctx context.Context, cql string) error {
	return k.session.Query(cql).ExecContext(ctx)
}

// settleTime is the time that abandoned writes may still be in flight.
const settleTime = 3 * time.Second

// drop removes the keyspace, also when the run was cancelled.
//
// A write or a hint that reaches a node while the node drops the table leaves an entry without a
// table in the commit log. Cassandra 5.0 stops a node that meets such an entry when the node
// reclaims the space ("Unknown CF"; commit_failure_policy is stop by default). Therefore the
// keyspace first leaves the commit log, and rests.
func (k *bareKeyspace) drop() error {
	defer k.session.Close()
	ctx := context.Background()
	err := k.exec(ctx, calmBareKeyspace(k.name))
	if err == nil {
		pause(ctx, settleTime)
		err = k.exec(ctx, dropBareKeyspace(k.name))
	}
	if err != nil {
		return fmt.Errorf("drop keyspace %s: %w", k.name, err)
	}
	return nil
}

// connect opens a session.
func connect(d *gocql.ClusterConfig, to bareDatacenter) (*gocql.Session, error) {
	session, err := d.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("connect to datacenter %s at %q: %w", to.name, to.hosts, err)
	}
	return session, nil
}

// checkKeyspace returns an error if a keyspace's name would need quotes in CQL.
func checkKeyspace(s string) error {
	for i, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) || len(s) > 48 {
			return fmt.Errorf("keyspace %q: want up to 48 small letters, digits and _", s)
		}
	}
	return nil
}
