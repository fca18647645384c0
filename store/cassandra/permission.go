package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// needed is a statement that needs a permission on a table.
type needed struct {
	permission, table, cql string
}

// permissions are statements for all that a server reads and writes.
func permissions() []needed {
	return []needed{
		{"SELECT", "mailbox", selectMessage}, {"MODIFY", "mailbox", deleteMessages},
		{"SELECT", "content", selectChunk}, {"MODIFY", "content", deleteChunk},
		{"SELECT", "trash", selectTrash}, {"MODIFY", "trash", insertTrash},
		{"SELECT", "floor", selectFloor}, {"MODIFY", "floor", insertFloor},
		{"SELECT", "address", selectAddresses}, {"MODIFY", "address", updateAddress([]string{"state"})},
		{"SELECT", "domain", selectDomain}, {"MODIFY", "domain", updateDomain([]string{"durability"})},
		{"SELECT", "ledger", selectAttempt}, {"MODIFY", "ledger", deleteAttempt},
		{"SELECT", "progress", selectProgress}, {"MODIFY", "progress", insertProgress},
		{"SELECT", "note", selectNote}, {"MODIFY", "note", insertNote},
		{"SELECT", "server", selectServers}, {"MODIFY", "server", deleteServer},
		{"SELECT", "watermark", selectWatermark}, {"MODIFY", "watermark", insertWatermark},
	}
}

// lacking lists the permissions that the user of a session lacks, such as "MODIFY on KEYSPACE
// popelago". What cannot be found out now, because a node does not answer, is not in the list.
//
// A node first looks whether the user may execute a statement, and then at its values. Here all
// values are null, which no key may be: so the statement is refused in any case, nothing is read or
// written, and the reason tells.
func lacking(ctx context.Context, session *gocql.Session, keyspace string) []string {
	all := permissions()
	var mu sync.Mutex
	missing := map[string][]string{} // tables by permission
	inParallel(len(all), func(i int) {
		n := all[i]
		err := unobserved(session, n.cql, make([]any, strings.Count(n.cql, "?"))...).ExecContext(ctx)
		if !unauthorized(err) {
			return
		}
		mu.Lock()
		defer mu.Unlock()
		missing[n.permission] = append(missing[n.permission], n.table)
	})
	var list []string
	for _, permission := range sortedKeys(missing) {
		tables := missing[permission]
		if 2*len(tables) == len(all) {
			list = append(list, permission+" ON KEYSPACE "+keyspace)
			continue
		}
		slices.Sort(tables)
		for _, table := range tables {
			list = append(list, permission+" ON TABLE "+keyspace+"."+table)
		}
	}
	return list
}

// grants are the statements that give a user what it lacks.
func grants(lacking []string, user string) string {
	if user == "" {
		user = "the user of the server"
	}
	var list []string
	for _, permission := range lacking {
		list = append(list, "GRANT "+permission+" TO "+user)
	}
	return strings.Join(list, "; ")
}

// checkPermissions returns an ErrNotAllowed that says what to grant if the user of the session lacks
// anything.
func (s *engine) checkPermissions(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	missing := lacking(ctx, s.session(), s.cfg.Keyspace)
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; execute %s", ErrNotAllowed, strings.Join(missing, ", "), grants(missing, s.cfg.Username))
}
