package cassandra

import (
	"context"
	"fmt"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"

	"popelago/store/cassandra/driver"
)

// Doctor examines a cluster and returns good and bad findings: whether nodes can be reached, their
// versions, clocks and settings, the schema, and the replicas. It contacts every node of every
// datacenter, and writes one row of its own. If nodes are away it takes up to a few times ConnectTimeout.
//
// A fault of the cluster is a finding, not an error. Errors: a wrong configuration; the end of ctx.
func Doctor(ctx context.Context, cfg Config) ([]Finding, error) {
	cfg, err := cfg.withDefaults()
	if err != nil {
		return nil, err
	}
	var found []Finding
	session, contacts := tryContacts(ctx, cfg)
	if session != nil {
		defer endSession(session)
		found = examine(ctx, cfg, session, contacts)
	} else {
		found = judgeContacts(cfg, contacts, nil)
	}
	if err := ctx.Err(); err != nil {
		return found, fmt.Errorf("cassandra: look at the cluster: %w", err)
	}
	return found, nil
}

// examine is Doctor with a session to one of the contact points.
func examine(ctx context.Context, cfg Config, session driver.Session, contacts []contact) []Finding {
	if p := readProduct(ctx, cfg, session); p != nil {
		return append(judgeContacts(cfg, contacts, nil), p.finding())
	}
	local, err := readLocalNode(ctx, session)
	if err != nil {
		return append(judgeContacts(cfg, contacts, nil), failedCheck("node", "a node does not describe itself", err))
	}
	if local.tooOld() { // the tables to read do not exist
		return append(judgeContacts(cfg, contacts, nil), judgeVersions([]node{local})...)
	}
	nodes, err := readPeers(ctx, session)
	if err != nil {
		return append(judgeContacts(cfg, contacts, nil), failedCheck("node", "a node does not describe the other nodes", err))
	}
	nodes = append([]node{local}, nodes...)
	probe(ctx, cfg, nodes)
	readAlive(ctx, session, nodes)

	found := judgeContacts(cfg, contacts, nodes)
	datacenter := judgeDatacenter(cfg, nodes)
	found = append(found, datacenter)
	found = append(found, judgeNodes(cfg, nodes)...)
	found = append(found, judgeVersions(nodes)...)
	found = append(found, judgeClocks(nodes)...)
	found = append(found, judgeCommitLogs(nodes)...)
	found = append(found, judgeSettings(cfg, nodes)...)
	found = append(found, judgeTimestamps(nodes)...)
	found = append(found, judgeHints(nodes)...)
	found = append(found, judgeAccess(cfg, nodes)...)
	if r, err := readSignIn(ctx, session); err == nil {
		found = append(found, judgeSignIn(cfg, nodes, r)...)
	}
	if datacenter.Level == FindingError {
		return found // the checks below need the datacenter
	}
	status, err := readStatus(ctx, session, cfg)
	found = append(found, judgeSchema(status, err))
	found = append(found, judgeNames(cfg, nodes)...)
	found = append(found, judgeReplication(cfg, status, nodes)...)
	if err == nil && status.Check() == nil {
		found = append(found, examineTables(ctx, cfg, session, status)...)
		found = append(found, tryKeyspace(ctx, cfg, nodes)...)
		found = append(found, examineWindows(ctx, cfg, sortedKeys(status.Replication)))
	}
	return found
}

// tryKeyspace opens a session like a server and checks permissions, a write and a read of a row, and
// which domains need a datacenter that is away.
func tryKeyspace(ctx context.Context, cfg Config, nodes []node) []Finding {
	session, err := cfg.connect(ctx, nil)
	if err != nil {
		return []Finding{failedStatement("connecting", err)}
	}
	defer endSession(session)
	if missing := lacking(ctx, session, cfg.Keyspace); len(missing) > 0 {
		return []Finding{judgePermissions(cfg, missing)}
	}
	found := []Finding{tryStatements(ctx, cfg, session)}
	var cut []string
	for _, name := range datacenters(nodes) {
		if isCut(cfg, nodes, name) {
			cut = append(cut, name)
		}
	}
	if len(cut) == 0 {
		return found
	}
	domains, err := readAllDomains(ctx, session)
	if err != nil {
		return append(found, failedCheck("durability", "which domains refuse mail cannot be told", err))
	}
	return append(found, judgeEach(cfg, domains, cut)...)
}

// judgePermissions reports missing permissions.
func judgePermissions(cfg Config, missing []string) Finding {
	return Finding{
		Level: FindingError, Check: "access", Text: fmt.Sprintf("the user %q lacks permissions, and a server does not start: %s", cfg.Username, strings.Join(missing, ", ")),
		Hint: "execute " + grants(missing, cfg.Username),
	}
}

// slowStatement is the longest duration of a statement on a healthy cluster.
const slowStatement = 500 * time.Millisecond

// failedStatement reports a statement that failed.
func failedStatement(what string, err error) Finding {
	f := failedCheck("statements", what+" at LOCAL_QUORUM", err)
	f.Hint = "until then mail can neither be stored nor read: see which nodes of this datacenter are down"
	return f
}

// tryStatements writes a row and reads the row back, at the level of sessions.
func tryStatements(ctx context.Context, cfg Config, session driver.Session) Finding {
	now := micros(cfg.Now())
	began := time.Now()
	err := driver.Exec(ctx, session, driver.Statement{CQL: insertProgress, Values: []any{doctorRow, now, now}, Consistency: gocql.LocalQuorum})
	if err != nil {
		return failedStatement("writing", err)
	}
	written := time.Now()
	var position int64
	err = driver.ScanOne(ctx, session, driver.Statement{CQL: selectProgress, Values: []any{doctorRow}, Consistency: gocql.LocalQuorum}, &position)
	if err != nil {
		return failedStatement("reading", err)
	}
	if position < now { // the position only rises
		return failedStatement("reading", fmt.Errorf("the row just written is missing"))
	}
	return judgeStatements(written.Sub(began), time.Since(written))
}

// doctorRow is the key of the row in the table progress that Doctor writes.
const doctorRow = "doctor"

func judgeStatements(write, read time.Duration) Finding {
	f := Finding{Level: FindingOK, Check: "statements", Text: fmt.Sprintf("a row was written in %v and read back in %v at LOCAL_QUORUM",
		write.Round(100*time.Microsecond), read.Round(100*time.Microsecond))}
	if max(write, read) > slowStatement {
		f.Level = FindingWarning
		f.Hint = "the cluster is busy, or far away: a delivery takes two such writes"
	}
	return f
}
