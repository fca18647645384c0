package cassandra

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// versionsName is the name of the row that insertVersion writes.
const versionsName = "popelago"

// SchemaVersion returns the version that this program reads and writes.
func SchemaVersion() int { return len(migrations()) }

// firstVersion is the first version with today's keys. Earlier versions had trash and addresses in
// different shards: this program does not find their rows, and no migration moves them.
const firstVersion = 2

// Errors of the schema.
var (
	// ErrSchemaLayout: the schema is from before the first release, with different keys. The keyspace
	// can only be given up.
	ErrSchemaLayout = errors.New("cassandra: the schema is from before the first release, with keys that this program does not find: " +
		"fetch the mail with the program that made it, remove the keyspace (DROP KEYSPACE) or configure another one, and run popelago schema apply")
	// ErrSchemaMissing: the keyspace or its tables do not exist.
	ErrSchemaMissing = errors.New("cassandra: there is no schema yet")
	// ErrSchemaOlder: the schema is from an older release.
	ErrSchemaOlder = errors.New("cassandra: the schema is older than this program")
	// ErrSchemaNewer: the schema is from a newer release.
	ErrSchemaNewer = errors.New("cassandra: the schema is newer than this program")
)

// SchemaStatus holds the schema version of the cluster and of this program.
type SchemaStatus struct {
	Keyspace string
	// Known is the version of this program.
	Known int
	// Applied is the version of the cluster; zero without a schema.
	Applied int
	// Since is the time at which the first version was applied.
	Since time.Time
	// Replication holds the count of replicas in each datacenter; nil without a keyspace.
	Replication map[string]int
}

// Check returns nil if the schema fits this program. Errors: ErrSchemaMissing, ErrSchemaLayout,
// ErrSchemaOlder, ErrSchemaNewer.
func (s SchemaStatus) Check() error {
	switch {
	case s.Applied == 0:
		return fmt.Errorf("%w (keyspace %s)", ErrSchemaMissing, s.Keyspace)
	case s.Applied < firstVersion:
		return fmt.Errorf("%w (keyspace %s has version %d)", ErrSchemaLayout, s.Keyspace, s.Applied)
	case s.Applied < s.Known:
		return fmt.Errorf("%w (keyspace %s has version %d, needed is %d)", ErrSchemaOlder, s.Keyspace, s.Applied, s.Known)
	case s.Applied > s.Known:
		return fmt.Errorf("%w (keyspace %s has version %d, known is %d)", ErrSchemaNewer, s.Keyspace, s.Applied, s.Known)
	}
	return nil
}

// Schema returns all statements that Apply executes on an empty cluster, for reading and for applying by
// hand.
func Schema(cfg Config) (string, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return "", err
	}
	if err := checkReplication(cfg); err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s;\n\n%s;\n", createKeyspace(cfg.Keyspace, cfg.Replication), inKeyspace(cfg.Keyspace, createVersions))
	for i, steps := range migrations() {
		if i+1 < firstVersion {
			continue
		}
		fmt.Fprintf(&b, "\n-- version %d\n", i+1)
		for _, step := range steps {
			fmt.Fprintf(&b, "\n%s;\n", inKeyspace(cfg.Keyspace, step))
		}
	}
	return b.String(), nil
}

func checkReplication(cfg Config) error {
	if cfg.Replication[cfg.Datacenter] < 1 {
		return fmt.Errorf("%w: the replication %v has no replica in the local datacenter %q", ErrNoReplication, cfg.Replication, cfg.Datacenter)
	}
	for datacenter, replicas := range cfg.Replication {
		if replicas < 1 || datacenter == "" {
			return fmt.Errorf("%w: datacenter %q cannot have %d replicas", ErrNoReplication, datacenter, replicas)
		}
	}
	return nil
}

// Status reads the state of the schema. A missing schema is no error.
//
// Errors: ErrUnknownDatacenter; ErrNoLocalReplica; store.ErrUnavailable; a wrong configuration.
func Status(ctx context.Context, cfg Config) (SchemaStatus, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return SchemaStatus{}, err
	}
	session, err := cfg.connectAny(ctx)
	if err != nil {
		return SchemaStatus{}, err
	}
	defer endSession(session)
	if err := checkDatacenter(ctx, session, cfg.Datacenter); err != nil {
		return SchemaStatus{}, err
	}
	return readStatus(ctx, session, cfg)
}

// readStatus reads the state of the schema.
func readStatus(ctx context.Context, session driver.Session, cfg Config) (SchemaStatus, error) {
	keyspace := cfg.Keyspace
	status := SchemaStatus{Keyspace: keyspace, Known: SchemaVersion()}
	failed := func(err error) (SchemaStatus, error) {
		if unauthorized(err) {
			missing := []string{"SELECT ON KEYSPACE " + keyspace}
			return status, fmt.Errorf("%w: %s; execute %s", ErrNotAllowed, missing[0], grants(missing, cfg.Username))
		}
		return status, fmt.Errorf("cassandra: read the state of the schema: %w: %w", store.ErrUnavailable, err)
	}
	var replication map[string]string
	err := driver.ScanOne(ctx, session, atNode(selectReplication, keyspace), &replication)
	if errors.Is(err, gocql.ErrNotFound) {
		return status, nil
	} else if err != nil {
		return failed(err)
	}
	status.Replication = map[string]int{}
	for datacenter, replicas := range replication {
		if n, err := strconv.Atoi(replicas); err == nil {
			status.Replication[datacenter] = n
		}
	}
	if status.Replication[cfg.Datacenter] == 0 {
		return status, fmt.Errorf("%w: keyspace %s has none in %q, but %v", ErrNoLocalReplica, keyspace, cfg.Datacenter, replication)
	}
	var table string
	err = driver.ScanOne(ctx, session, atNode(selectVersionTable, keyspace), &table)
	if errors.Is(err, gocql.ErrNotFound) {
		return status, nil
	} else if err != nil {
		return failed(err)
	}
	var version int
	var applied int64
	err = driver.Each(ctx, session, driver.Statement{CQL: fmt.Sprintf(selectVersions, keyspace), Values: []any{versionsName}, Consistency: gocql.LocalQuorum}, func() {
		if at := time.UnixMicro(applied).UTC(); status.Since.IsZero() || at.Before(status.Since) {
			status.Since = at
		}
		status.Applied = max(status.Applied, version)
	}, &version, &applied)
	if err != nil {
		return failed(err)
	}
	return status, nil
}

// tableColumn names a column of a table.
type tableColumn struct{ table, column string }

// The forms of the statements that make tables and columns.
var (
	tableForm  = regexp.MustCompile(`(?s)^CREATE TABLE IF NOT EXISTS (\w+) \((.*?)\n\)`)
	columnForm = regexp.MustCompile(`(?m)^  ([a-z_]+) `)
	addForm    = regexp.MustCompile(`^ALTER TABLE (\w+) ADD IF NOT EXISTS (\w+) `)
)

// schemaColumns returns the columns of the schema of this program.
func schemaColumns() map[tableColumn]bool {
	columns := map[tableColumn]bool{}
	for _, step := range append(slices.Concat(migrations()...), createVersions) {
		if made := tableForm.FindStringSubmatch(step); made != nil {
			for _, c := range columnForm.FindAllStringSubmatch(made[2], -1) {
				columns[tableColumn{made[1], c[1]}] = true
			}
		}
		if added := addForm.FindStringSubmatch(step); added != nil {
			columns[tableColumn{added[1], added[2]}] = true
		}
	}
	return columns
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
