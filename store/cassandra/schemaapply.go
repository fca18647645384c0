package cassandra

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store"
	"popelago/store/cassandra/driver"
)

// Errors of Apply.
var (
	// ErrNodesDown: nodes do not answer, and nothing was changed. The text lists their addresses.
	ErrNodesDown = errors.New("cassandra: nodes do not answer, and a change of the schema needs every node")
	// ErrMixedReleases: the nodes run different releases of Cassandra, which do not exchange changes of
	// the schema. Nothing was changed.
	ErrMixedReleases = errors.New("cassandra: the nodes run different releases of Cassandra")
	// ErrSchemaUnfinished: a change of the schema failed, or did not reach every node. Apply continues
	// from there.
	ErrSchemaUnfinished = errors.New("cassandra: the schema was applied in part")
)

// ApplyOptions holds the options of ApplyWith. The zero value requires every node.
type ApplyOptions struct {
	// Force applies the schema although nodes are down. They receive it when they are back.
	Force bool
	// Progress, if not nil, is called before each step with a line of text.
	Progress func(step string)
}

// Apply is ApplyWith without options.
func Apply(ctx context.Context, cfg Config) (before SchemaStatus, err error) {
	return ApplyWith(ctx, cfg, ApplyOptions{})
}

// ApplyWith makes the keyspace and the tables, or upgrades them, and returns the earlier state. Repeating
// it changes nothing. Two calls must not run at the same time: Cassandra does not order changes of the
// schema. An existing keyspace keeps its replication, and Config.Replication may be empty.
//
// Every node of every datacenter has to answer. Otherwise nothing is changed.
//
// Errors: ErrOtherProduct; ErrNodesDown; ErrMixedReleases; ErrSchemaUnfinished; ErrSchemaNewer; ErrSchemaLayout;
// ErrUnknownDatacenter; ErrNoReplication; store.ErrUnavailable; a wrong configuration.
func ApplyWith(ctx context.Context, cfg Config, o ApplyOptions) (before SchemaStatus, err error) {
	cfg, err = cfg.withDefaults()
	if err != nil {
		return before, err
	}
	session, err := cfg.connectAny(ctx)
	if err != nil {
		return before, err
	}
	defer endSession(session)
	if p := readProduct(ctx, cfg, session); p != nil {
		return before, p.err()
	}
	for _, datacenter := range sortedKeys(cfg.Replication) {
		if err := checkDatacenter(ctx, session, datacenter); err != nil {
			return before, err
		}
	}
	a := applying{cfg: cfg, session: session, options: o}
	before, err = readStatus(ctx, session, cfg)
	if errors.Is(err, store.ErrUnavailable) {
		if down := a.look(ctx); errors.Is(down, ErrNodesDown) {
			err = down // more precise
		}
	}
	if err != nil || before.Applied == before.Known {
		return before, err
	}
	if before.Applied > before.Known || before.Applied > 0 && before.Applied < firstVersion {
		return before, before.Check()
	}
	if before.Replication == nil {
		if err := checkReplication(cfg); err != nil {
			return before, err
		}
	}
	a.all = stepsFrom(before)
	if err := a.look(ctx); err != nil {
		return before, err
	}
	return before, a.run(ctx, before)
}

// applying holds one run of ApplyWith.
type applying struct {
	cfg     Config
	session driver.Session
	options ApplyOptions
	all     int             // count of statements
	done    int             // statements executed and known to all nodes
	absent  map[string]bool // nodes that are down, by address; empty unless forced
}

// stepsFrom counts the statements that lead from a state to the schema of this program.
func stepsFrom(before SchemaStatus) int {
	n := 1 // the table of versions
	if before.Replication == nil {
		n++
	}
	for _, steps := range migrations()[appliedBefore(before):] {
		n += len(steps)
	}
	return n
}

// appliedBefore returns the version to upgrade from; on an empty cluster the version before the first.
func appliedBefore(before SchemaStatus) int { return max(before.Applied, firstVersion-1) }

// say reports a step.
func (a *applying) say(format string, args ...any) {
	if a.options.Progress != nil {
		a.options.Progress(fmt.Sprintf(format, args...))
	}
}

// look checks that every node answers, before any change.
func (a *applying) look(ctx context.Context) error {
	a.say("looking at the nodes")
	nodes, err := readNodes(ctx, a.session)
	if err != nil {
		return fmt.Errorf("cassandra: look at the nodes: %w: %w", store.ErrUnavailable, err)
	}
	probe(ctx, a.cfg, nodes)
	readAlive(ctx, a.session, nodes)
	down := having(nodes, node.isDown)
	a.say("%d of %s answer", len(nodes)-len(down), count(len(nodes), "node"))
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("cassandra: look at the nodes: %w", err)
	}
	return a.admit(nodes, down)
}

// admit decides whether the schema may be changed while nodes are down.
func (a *applying) admit(nodes, down []node) error {
	if len(down) > 0 && !a.options.Force {
		return fmt.Errorf("%w: %s; nothing was changed", ErrNodesDown, describe(down))
	}
	a.absent = map[string]bool{}
	for _, n := range down {
		a.absent[n.address] = true
	}
	releases := map[int]bool{}
	for _, n := range nodes {
		releases[n.release()] = true
	}
	if len(releases) > 1 {
		return fmt.Errorf("%w: finish the upgrade first; nothing was changed", ErrMixedReleases)
	}
	return nil
}

// readNodes reads all nodes from the system tables of the node of a session.
func readNodes(ctx context.Context, session driver.Session) ([]node, error) {
	local, err := readLocalNode(ctx, session)
	if err != nil {
		return nil, err
	}
	peers, err := readPeers(ctx, session)
	return append([]node{local}, peers...), err
}

// describe names nodes with their datacenters.
func describe(nodes []node) string {
	var list []string
	for _, n := range nodes {
		list = append(list, n.address+" ("+n.datacenter+")")
	}
	return strings.Join(list, ", ")
}

// run executes the statements that lead from a state to the schema of this program.
func (a *applying) run(ctx context.Context, before SchemaStatus) error {
	if before.Replication == nil {
		if err := a.change(ctx, "keyspace "+a.cfg.Keyspace, createKeyspace(a.cfg.Keyspace, a.cfg.Replication)); err != nil {
			return err
		}
	}
	if err := a.change(ctx, "table schema_version", inKeyspace(a.cfg.Keyspace, createVersions)); err != nil {
		return err
	}
	applied := appliedBefore(before)
	for i, steps := range migrations()[applied:] {
		for _, step := range steps {
			if err := a.change(ctx, subject(step), inKeyspace(a.cfg.Keyspace, step)); err != nil {
				return err
			}
		}
		now := micros(a.cfg.Now())
		err := driver.Exec(ctx, a.session, driver.Statement{
			CQL: fmt.Sprintf(insertVersion, a.cfg.Keyspace), Values: []any{applied + i + 1, now, now}, Consistency: a.versions(),
		})
		if err != nil {
			return fmt.Errorf("%w, all but the note of its version: %w: %w", ErrSchemaUnfinished, store.ErrOutcomeUnknown, err)
		}
	}
	return nil
}

// versions returns the consistency for writing a version: EACH_QUORUM, or LOCAL_QUORUM if ApplyOptions.Force
// allowed nodes to be down.
func (a *applying) versions() gocql.Consistency {
	if len(a.absent) > 0 {
		return gocql.LocalQuorum
	}
	return gocql.EachQuorum
}

// subject names the object of a statement of the schema, such as "table mailbox".
func subject(cql string) string {
	first, _, _ := strings.Cut(cql, "\n")
	if name, ok := strings.CutPrefix(first, "CREATE TABLE IF NOT EXISTS "); ok {
		return "table " + strings.TrimSuffix(name, " (")
	}
	return first
}

// change executes a statement that changes the schema, and waits until all nodes have the change.
func (a *applying) change(ctx context.Context, what, cql string) error {
	a.say("%d of %d: %s", a.done+1, a.all, what)
	err := driver.Exec(ctx, a.session, driver.Statement{CQL: cql, Consistency: gocql.Quorum, Once: true})
	if err == nil {
		err = a.awaitAgreement(ctx)
	}
	switch {
	case err == nil:
		a.done++
		return nil
	case unauthorized(err):
		err = fmt.Errorf("%w: make the schema as a user that may create keyspaces and tables (POPELAGO_CASSANDRA_USERNAME, POPELAGO_CASSANDRA_PASSWORD_FILE): %w", ErrNotAllowed, err)
		if a.done == 0 {
			return err
		}
	case a.done == 0 && !mayBeWritten(err):
		return fmt.Errorf("cassandra: make %s: %w: %w; nothing was changed", what, store.ErrUnavailable, err)
	}
	return fmt.Errorf("%w (%d of %d steps are done), and failed at %s: %w", ErrSchemaUnfinished, a.done, a.all, what, err)
}

// agreementTime is the time that the nodes have to adopt a change of the schema.
const agreementTime = time.Minute

// awaitAgreement waits until all nodes, except for nodes known to be down, have the same schema. The error
// names the nodes with another schema than the node of the session.
func (a *applying) awaitAgreement(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, agreementTime)
	defer cancel()
	for {
		behind, err := a.behind(ctx)
		if err == nil && len(behind) == 0 {
			return nil
		}
		select {
		case <-ctx.Done():
			if len(behind) > 0 {
				return fmt.Errorf("%s did not take it over: %w", strings.Join(behind, ", "), ctx.Err())
			}
			return errors.Join(ctx.Err(), err)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// behind lists the nodes with another schema than the node of the session, from the tables of that node.
func (a *applying) behind(ctx context.Context) ([]string, error) {
	var own gocql.UUID
	if err := driver.ScanOne(ctx, a.session, atNode(selectSchemaVersion), &own); err != nil {
		return nil, err
	}
	nodes, versions, err := readSchemaVersions(ctx, a.session)
	if err != nil {
		return nil, err
	}
	var behind []string
	for i, n := range nodes {
		if versions[i] != own && !a.absent[n.address] {
			behind = append(behind, n.address+" ("+n.datacenter+")")
		}
	}
	return behind, nil
}
