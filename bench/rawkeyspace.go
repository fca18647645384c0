package bench

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// rawKeyspace is the keyspace of a run.
type rawKeyspace struct {
	name    string
	session *gocql.Session
}

// schemaTimeout bounds one change of the schema.
const schemaTimeout = time.Minute

// makeRawKeyspace makes the keyspace with its tables. The caller calls drop.
func makeRawKeyspace(ctx context.Context, cfg *RawConfig) (*rawKeyspace, error) {
	d := cfg.driver(cfg.Datacenters[0])
	d.NumConns = 1
	d.Timeout, d.WriteTimeout, d.MaxWaitSchemaAgreement = schemaTimeout, schemaTimeout, schemaTimeout
	session, err := connectRaw(d, cfg.Datacenters[0])
	if err != nil {
		return nil, err
	}
	k := &rawKeyspace{name: cfg.Keyspace, session: session}
	if err := k.create(ctx, cfg.Replication); err != nil {
		session.Close()
		return nil, err
	}
	for _, table := range slices.Sorted(maps.Keys(rawTables)) {
		if table == rawMark {
			continue
		}
		if err := k.exec(ctx, createRawTable(k.name, table)); err != nil {
			return nil, errors.Join(fmt.Errorf("bench: make table %s: %w", table, err), k.drop())
		}
	}
	return k, nil
}

// create makes the keyspace with the mark. An existing keyspace is refused, unless it has the mark.
func (k *rawKeyspace) create(ctx context.Context, replication map[string]int) error {
	err := k.exec(ctx, createRawKeyspace(k.name, replication))
	var exists *gocql.RequestErrAlreadyExists
	if errors.As(err, &exists) {
		ours, foreign, lerr := k.tables(ctx)
		if lerr != nil {
			return fmt.Errorf("bench: look at keyspace %s: %w", k.name, lerr)
		}
		if !ours || foreign != "" {
			return fmt.Errorf("bench: keyspace %s exists and was not made by this command: it is left alone, choose another", k.name)
		}
		if err = k.exec(ctx, calmRawKeyspace(k.name)); err == nil {
			err = k.exec(ctx, dropRawKeyspace(k.name))
		}
		if err == nil {
			err = k.exec(ctx, createRawKeyspace(k.name, replication))
		}
	}
	if err == nil {
		err = k.exec(ctx, createRawTable(k.name, rawMark))
	}
	if err != nil {
		return fmt.Errorf("bench: make keyspace %s: %w", k.name, err)
	}
	return nil
}

// tables reports whether the keyspace has the mark, and names a foreign table.
func (k *rawKeyspace) tables(ctx context.Context) (ours bool, foreign string, err error) {
	rows := k.session.Query(selectRawTables, k.name).Consistency(gocql.One).IterContext(ctx)
	var table string
	for rows.Scan(&table) {
		if _, known := rawTables[table]; !known {
			foreign = table
		}
		ours = ours || table == rawMark
	}
	return ours, foreign, rows.Close()
}

// exec changes the schema.
func (k *rawKeyspace) exec(ctx context.Context, cql string) error {
	return k.session.Query(cql).ExecContext(ctx)
}

// settleTime bounds the time that abandoned writes may still be in flight.
const settleTime = 3 * time.Second

// drop removes the keyspace, also after a cancelled run.
//
// If a write or a hint reaches a node while it drops the table, the node's commit log gets an entry
// of an unknown table. Cassandra 5.0 stops a node that finds such an entry when it reclaims the
// space ("Unknown CF"; commit_failure_policy is stop by default). So the keyspace first leaves the
// commit log, and gets time for its last writes.
func (k *rawKeyspace) drop() error {
	defer k.session.Close()
	ctx := context.Background()
	err := k.exec(ctx, calmRawKeyspace(k.name))
	if err == nil {
		sleep(ctx, settleTime)
		err = k.exec(ctx, dropRawKeyspace(k.name))
	}
	if err != nil {
		return fmt.Errorf("bench: drop keyspace %s: %w", k.name, err)
	}
	return nil
}

// connectRaw opens a session.
func connectRaw(d *gocql.ClusterConfig, to RawDatacenter) (*gocql.Session, error) {
	session, err := d.CreateSession()
	if err != nil {
		return nil, fmt.Errorf("bench: connect to datacenter %s at %q: %w", to.Name, to.Hosts, err)
	}
	return session, nil
}

// checkKeyspace returns an error if a keyspace's name would need quotes in CQL.
func checkKeyspace(s string) error {
	for i, c := range []byte(s) {
		if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) || len(s) > 48 {
			return fmt.Errorf("bench: keyspace %q: want up to 48 small letters, digits and _", s)
		}
	}
	return nil
}
