package cassandra

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// judgeSchema reports the state of the schema; err is set if it could not be read.
func judgeSchema(status SchemaStatus, err error) Finding {
	f := Finding{Level: FindingOK, Check: "schema", Text: fmt.Sprintf("keyspace %s has schema version %d", status.Keyspace, status.Applied)}
	if err == nil {
		err = status.Check()
	}
	if err != nil {
		f.Level, f.Text = FindingError, strings.TrimPrefix(err.Error(), "cassandra: ")
	}
	switch {
	case errors.Is(err, ErrSchemaMissing), errors.Is(err, ErrSchemaOlder):
		f.Hint = "run popelago schema apply"
	case errors.Is(err, ErrSchemaNewer):
		f.Hint = "use a newer release of popelago"
	}
	return f
}

// judgeReplication reports the replicas of the keyspace.
func judgeReplication(cfg Config, status SchemaStatus, nodes []node) []Finding {
	actual := status.Replication
	if actual == nil {
		return nil // there is no keyspace yet
	}
	alter := alterHint(status.Keyspace, nil)
	var found []Finding
	add := func(level, hint, format string, args ...any) {
		found = append(found, Finding{Level: level, Check: "replication", Text: fmt.Sprintf(format, args...), Hint: hint})
	}
	for _, name := range slices.Sorted(maps.Keys(actual)) {
		replicas, there := actual[name], len(inDatacenter(nodes, name))
		switch {
		case there == 0:
			add(FindingError, "take it out, or correct the name: "+alter, "the keyspace has %s in datacenter %s, which the cluster does not have; it has %s: whatever asks all replicas fails, and so does background work",
				count(replicas, "replica"), name, strings.Join(datacenters(nodes), ", "))
		case there < replicas:
			add(FindingError, alter, "datacenter %s has %s for %s: whatever asks all replicas fails, and so does background work",
				name, count(there, "node"), count(replicas, "replica"))
		case replicas == 1:
			add(FindingWarning, alter, "datacenter %s keeps 1 replica: while a node is down its mail cannot be read, and with its disk it is gone", name)
		case replicas == 2:
			add(FindingWarning, alter, "datacenter %s keeps 2 replicas: a quorum is both, so no node may be down", name)
		}
	}
	for _, name := range datacenters(nodes) {
		if actual[name] == 0 {
			add(FindingWarning, alter, "datacenter %s keeps no replica: it is no help when another is lost, and servers there cannot use it", name)
		}
	}
	wanted := cfg.Replication
	if len(judgeNames(cfg, nodes)) > 0 {
		wanted = nil // must not be executed
	}
	for _, name := range unequal(cfg.Replication, actual) {
		if len(inDatacenter(nodes, name)) == 0 {
			continue // see judgeNames
		}
		add(FindingWarning, "correct cassandra.replication, or "+alterHint(status.Keyspace, wanted), "cassandra.replication has %s = %d, but the keyspace %d",
			name, cfg.Replication[name], actual[name])
	}
	if len(found) == 0 && len(judgeNames(cfg, nodes)) == 0 {
		var texts []string
		for _, name := range slices.Sorted(maps.Keys(actual)) {
			texts = append(texts, fmt.Sprintf("%s in %s", count(actual[name], "replica"), name))
		}
		add(FindingOK, "", "%s", strings.Join(texts, ", "))
	}
	return found
}

// alterHint says how to change the replicas of a keyspace.
func alterHint(keyspace string, replication map[string]int) string {
	statement := alterKeyspace(keyspace, replication)
	return "execute " + statement + ", then rebuild or repair as docs/multi-datacenter.md says"
}

// unequal lists the datacenters whose configured and actual counts of replicas differ. An empty
// configuration differs in none.
func unequal(configured, actual map[string]int) []string {
	if len(configured) == 0 {
		return nil
	}
	names := map[string]bool{}
	for name := range configured {
		names[name] = configured[name] != actual[name]
	}
	for name := range actual {
		names[name] = configured[name] != actual[name]
	}
	maps.DeleteFunc(names, func(_ string, differs bool) bool { return !differs })
	return sortedKeys(names)
}
