package cluster

import (
	"bytes"
	"slices"
	"strconv"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// systemTable is a table of Cassandra about the cluster or about the node that answers.
type systemTable struct {
	types map[string]string
	rows  func(n *node) []systemRow
}

// systemRow returns the value of a column of a row.
type systemRow func(column string) any

// fixed is a row with values that are known.
func fixed(values map[string]any) systemRow { return func(column string) any { return values[column] } }

func isSystem(space string) bool {
	return space == "system" || space == "system_schema" || space == "system_views" || space == "system_distributed"
}

// systemTables holds the tables that are simulated, with the columns that are.
var systemTables = map[string]*systemTable{
	"system.local": {map[string]string{
		"key": "text", "rpc_address": "inet", "rpc_port": "int", "broadcast_address": "inet", "data_center": "text", "rack": "text",
		"release_version": "text", "schema_version": "uuid", "host_id": "uuid", "cluster_name": "text",
	}, func(n *node) []systemRow { return []systemRow{n.local} }},
	"system.peers": {map[string]string{
		"peer": "inet", "rpc_address": "inet", "data_center": "text", "rack": "text", "release_version": "text", "schema_version": "uuid", "host_id": "uuid",
	}, peers},
	"system.peers_v2": {map[string]string{
		"peer": "inet", "peer_port": "int", "native_address": "inet", "native_port": "int", "data_center": "text", "rack": "text",
		"release_version": "text", "schema_version": "uuid", "host_id": "uuid",
	}, peers},
	"system_schema.keyspaces": {map[string]string{
		"keyspace_name": "text", "durable_writes": "boolean", "replication": "frozen<map<text,text>>",
	}, func(n *node) (list []systemRow) {
		for _, name := range sortedNames(n.cluster.schema.keyspaces) {
			replication := map[string]string{"class": "org.apache.cassandra.locator.NetworkTopologyStrategy"}
			for datacenter, count := range n.cluster.schema.keyspaces[name].replication {
				replication[datacenter] = strconv.Itoa(count)
			}
			list = append(list, fixed(map[string]any{"keyspace_name": name, "durable_writes": true, "replication": replication}))
		}
		return list
	}},
	"system_schema.tables": {map[string]string{
		"keyspace_name": "text", "table_name": "text", "gc_grace_seconds": "int", "compaction": "frozen<map<text,text>>",
		"read_repair": "text", "speculative_retry": "text", "default_time_to_live": "int",
	}, func(n *node) (list []systemRow) {
		for _, space := range sortedNames(n.cluster.schema.keyspaces) {
			tables := n.cluster.schema.keyspaces[space].tables
			for _, name := range sortedNames(tables) {
				compaction := map[string]string{"only_purge_repaired_tombstones": strconv.FormatBool(tables[name].purgeRepairedOnly)}
				list = append(list, fixed(map[string]any{
					"keyspace_name": space, "table_name": name, "gc_grace_seconds": int(tables[name].gcGrace / time.Second), "compaction": compaction,
					"read_repair": tables[name].readRepair, "speculative_retry": tables[name].speculativeRetry, "default_time_to_live": 0,
				}))
			}
		}
		return list
	}},
	"system_schema.columns": {map[string]string{"keyspace_name": "text", "table_name": "text", "column_name": "text"}, func(*node) (list []systemRow) {
		for _, name := range []string{"broadcast_address", "cluster_name", "data_center", "host_id", "key", "rack", "release_version", "rpc_address", "rpc_port", "schema_version"} {
			list = append(list, fixed(map[string]any{"keyspace_name": "system", "table_name": "local", "column_name": name}))
		}
		return list
	}},
	"system_distributed.parent_repair_history": {map[string]string{ // no node repairs
		"keyspace_name": "text", "columnfamily_names": "set<text>", "started_at": "timestamp", "finished_at": "timestamp", "exception_message": "text",
		"options": "map<text,text>", "successful_ranges": "set<text>",
	}, func(*node) []systemRow { return nil }},
	"system_views.settings": {map[string]string{"name": "text", "value": "text"}, settings},
	"system_views.gossip_info": {map[string]string{"address": "inet", "generation": "int", "heartbeat": "int"}, func(n *node) (list []systemRow) {
		for _, o := range n.cluster.nodes {
			if o.removed {
				continue
			}
			list = append(list, func(column string) any {
				switch column {
				case "address":
					return o.ip
				case "generation":
					return int(n.cluster.start.Unix() + o.begun/1e9)
				case "heartbeat":
					return int(n.cluster.heartbeat(n, o))
				}
				return nil
			})
		}
		return list
	}},
	"system_views.pending_hints": {map[string]string{"host_id": "uuid", "address": "inet", "dc": "text", "rack": "text", "files": "int"}, func(n *node) (list []systemRow) {
		for _, target := range n.hintTargets() {
			if len(n.hints.stores[target].ready) > 0 {
				list = append(list, fixed(map[string]any{"host_id": target.id, "address": target.ip, "dc": target.datacenter, "rack": target.rack, "files": 1}))
			}
		}
		return list
	}},
	"system_views.thread_pools": {map[string]string{"name": "text", "active_tasks": "int", "pending_tasks": "int"}, func(n *node) []systemRow {
		active := 0
		for _, s := range n.hints.stores {
			if s.sending {
				active++
			}
		}
		return []systemRow{fixed(map[string]any{"name": "HintsDispatcher", "active_tasks": active, "pending_tasks": 0})}
	}},
}

// peers lists the other nodes.
func peers(n *node) (list []systemRow) {
	for _, o := range n.cluster.nodes {
		if o == n || o.removed {
			continue
		}
		list = append(list, o.asPeer)
	}
	return list
}

// local returns a column of the row of a node about itself.
func (n *node) local(column string) any {
	switch column {
	case "key":
		return "local"
	case "cluster_name":
		return "simulation"
	case "rpc_port":
		return 9042
	case "broadcast_address":
		return n.ip
	}
	return n.asPeer(column)
}

// asPeer returns a column of the row of another node about this one.
func (n *node) asPeer(column string) any {
	switch column {
	case "peer", "native_address", "rpc_address":
		return n.ip
	case "peer_port":
		return 7000
	case "native_port":
		return 9042
	case "data_center":
		return n.datacenter
	case "rack":
		return n.rack
	case "release_version":
		return n.cluster.config.Release
	case "schema_version":
		return n.cluster.schemaID()
	case "host_id":
		return n.id
	}
	return nil
}

// settings lists settings of cassandra.yaml.
func settings(n *node) (list []systemRow) {
	c := n.cluster.config
	seconds := func(d time.Duration) string { return strconv.Itoa(int(d/time.Second)) + "s" }
	sync := "periodic"
	if c.LogSync < 0 {
		sync = "batch"
	}
	for _, s := range [][2]string{
		{"commitlog_sync", sync}, {"commitlog_sync_period", seconds(max(c.LogSync, 0))},
		{"hinted_handoff_enabled", "true"}, {"hinted_handoff_disabled_datacenters", "[]"}, {"max_hint_window", seconds(c.HintWindow)},
		{"hints_flush_period", seconds(c.HintFlush)}, {"max_hints_size_per_host", "0B"},
		{"write_request_timeout", seconds(c.WriteTimeout)}, {"read_request_timeout", seconds(c.ReadTimeout)},
		{"authenticator", "AllowAllAuthenticator"},
	} {
		list = append(list, fixed(map[string]any{"name": s[0], "value": s[1]}))
	}
	return list
}

// prepareSystem finds a table of Cassandra.
func (p *plan) prepareSystem() error {
	p.system = systemTables[p.space+"."+p.table0()]
	if p.system == nil || p.verb != selectVerb || len(p.order) > 0 {
		return invalid("table %s.%s is not simulated, in: %s", p.space, p.table0(), p.cql)
	}
	for _, s := range p.selectors {
		if s.function == "" && p.system.types[s.columns[0]] == "" || s.function != "" && s.function != "tounixtimestamp" {
			return invalid("%s %v of %s.%s is not simulated, in: %s", s.function, s.columns, p.space, p.table0(), p.cql)
		}
	}
	for _, s := range p.selectors {
		if s.function != "" {
			p.results = append(p.results, bigint)
		} else {
			p.results = append(p.results, mustType(p.system.types[s.columns[0]]).info)
		}
	}
	p.mark(p.syntax.limit, int32s)
	for i := range p.relations {
		r := &p.relations[i]
		typ := p.system.types[r.columns[0]]
		if len(r.columns) != 1 || typ == "" || r.sign != "=" && r.sign != "in" {
			return invalid("condition on %v of %s.%s is not simulated, in: %s", r.columns, p.space, p.table0(), p.cql)
		}
		p.mark(&r.value, mustType(typ).info)
	}
	return nil
}

// table0 is the name of the table as it was read.
func (p *plan) table0() string { return p.syntax.table }

func mustType(name string) *valueType {
	t, err := parseType(name)
	if err != nil {
		panic(err)
	}
	return t
}

// readSystem executes a statement about the cluster.
func (c *Cluster) readSystem(r *request) (result, error) {
	p := r.plan
	res := result{types: p.results}
	for _, row := range p.system.rows(r.node) {
		ok, err := p.matches(row, r.values[0])
		if err != nil {
			return res, err
		}
		if !ok {
			continue
		}
		list := make([][]byte, 0, len(p.selectors))
		for i, s := range p.selectors {
			var v any = r.node.wall().UnixMilli()
			if s.function == "" {
				v = row(s.columns[0])
			}
			data, err := gocql.Marshal(res.types[i], v)
			if err != nil {
				return res, err
			}
			list = append(list, data)
		}
		res.rows = append(res.rows, list)
	}
	return res, nil
}

// matches evaluates the conditions on a row.
func (p *plan) matches(row systemRow, values []value) (bool, error) {
	for i := range p.relations {
		r := &p.relations[i]
		typ := mustType(p.system.types[r.columns[0]])
		have, err := gocql.Marshal(typ.info, row(r.columns[0]))
		if err != nil {
			return false, err
		}
		terms := []term{r.value}
		if r.sign == "in" {
			terms = r.value.list
		}
		found := slices.ContainsFunc(terms, func(t term) bool {
			v, err := t.of(values, typ)
			return err == nil && v.data != nil && bytes.Equal(v.data, have)
		})
		if !found {
			return false, nil
		}
	}
	return true, nil
}
