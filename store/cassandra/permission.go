package cassandra

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"

	"popelago/store/cassandra/driver"
)

// needed names a statement and the permission it needs on a table.
type needed struct {
	permission, table, cql string
}

// permissions lists statements that need all permissions of a server.
func permissions() []needed {
	return []needed{
		{"SELECT", "mailbox", selectMessage}, {"MODIFY", "mailbox", deleteMessages},
		{"SELECT", "content", selectChunk}, {"MODIFY", "content", deleteChunk},
		{"SELECT", "trash", selectTrash}, {"MODIFY", "trash", insertTrash},
		{"SELECT", "floor", selectFloor}, {"MODIFY", "floor", insertFloor},
		{"SELECT", "address", selectAddresses}, {"MODIFY", "address", updateAddress([]string{"state = ?"})},
		{"SELECT", "domain", selectDomain}, {"MODIFY", "domain", updateDomain([]string{"durability = ?"})},
		{"SELECT", "access_token", scanTokens}, {"MODIFY", "access_token", revokeToken},
		{"SELECT", "retrieval", listRetrievals}, {"MODIFY", "retrieval", deleteRetrieval},
		{"SELECT", "login", selectLogin}, {"MODIFY", "login", insertLogin},
		{"SELECT", "trace", listTrace}, {"MODIFY", "trace", insertTrace},
		{"SELECT", "audit", listAudit}, {"MODIFY", "audit", insertAudit},
		{"SELECT", "queue", listQueue}, {"MODIFY", "queue", insertQueue},
		{"SELECT", "mark", listMarks}, {"MODIFY", "mark", insertMark},
		{"SELECT", "ledger", selectAttempt}, {"MODIFY", "ledger", deleteAttempt},
		{"SELECT", "progress", selectProgress}, {"MODIFY", "progress", insertProgress},
		{"SELECT", "note", selectNote}, {"MODIFY", "note", insertNote},
		{"SELECT", "server", selectServers}, {"MODIFY", "server", deleteServer},
		{"SELECT", "watermark", selectWatermark}, {"MODIFY", "watermark", insertWatermark},
	}
}

// lacking lists the permissions that the user of a session lacks, such as "MODIFY ON KEYSPACE popelago".
// Permissions that cannot be tested now, because a node does not answer, are left out.
//
// A node first checks the permission for a statement, and then its values. All values are null, which
// no key may be: so every statement is refused without effect, and the reason shows the permission.
func lacking(ctx context.Context, session driver.Session, keyspace string) []string {
	all := permissions()
	var mu sync.Mutex
	missing := map[string][]string{} // tables by permission
	inParallel(len(all), func(i int) {
		n := all[i]
		err := driver.Exec(ctx, session, unobserved(n.cql, make([]any, strings.Count(n.cql, "?"))...))
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

// grants returns the statements that grant permissions to a user.
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

// checkPermissions returns an ErrNotAllowed with the statements to execute if the user of the session
// lacks permissions.
func checkPermissions(ctx context.Context, session driver.Session, cfg Config) error {
	ctx, cancel := context.WithTimeout(ctx, cfg.Timeout)
	defer cancel()
	missing := lacking(ctx, session, cfg.Keyspace)
	if len(missing) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %s; execute %s", ErrNotAllowed, strings.Join(missing, ", "), grants(missing, cfg.Username))
}
