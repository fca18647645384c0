package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"

	"popelago/store/cassandra/driver"
)

// ErrOtherProduct: the cluster speaks CQL, and is not Apache Cassandra. The text names the product.
var ErrOtherProduct = errors.New("cassandra: the cluster is not Apache Cassandra")

// product is a product that speaks CQL and lacks parts that this package needs.
type product struct {
	name  string
	lacks string
	// is reports whether a cluster is the product.
	is func(clues) bool
}

// clues are what a cluster says about itself. A part that cannot be read is empty.
type clues struct {
	hosts     []string // as configured, without ports
	release   string
	keyspaces []string
	tables    []string // of the keyspace system
	columns   []string // of the table system.local
}

// products lists the products that are recognized, each by a mark that Apache Cassandra does not have.
var products = []product{
	{
		"ScyllaDB",
		"the compaction option only_purge_repaired_tombstones, so that a forgotten repair could bring removed mail back, and the tables system_views.settings, gossip_info and pending_hints",
		func(c clues) bool {
			return slices.Contains(c.tables, "scylla_local") || slices.Contains(c.keyspaces, "system_distributed_everywhere")
		},
	},
	{
		"Amazon Keyspaces",
		"reads and writes at EACH_QUORUM and ALL, with which background work proves that mail may be removed, and the keyspace system_views",
		func(c clues) bool {
			return slices.Contains(c.keyspaces, "system_schema_mcs") || c.at(".amazonaws.com", ".amazonaws.com.cn")
		},
	},
	{
		"Azure Cosmos DB",
		"a timestamp for each column (only for a row), the consistency of each statement (only of the account), options of compaction, and the keyspace system_views",
		func(c clues) bool {
			return c.at(".cosmos.azure.com", ".cosmos.azure.cn", ".cosmosdb.azure.com")
		},
	},
	{
		"DataStax Astra DB",
		"the virtual tables of Cassandra 4.1, access to single nodes, and CREATE KEYSPACE by CQL",
		func(c clues) bool {
			return slices.Contains(c.keyspaces, "datastax_sla") || c.at(".astra.datastax.com")
		},
	},
	{
		"DataStax Enterprise",
		"the virtual tables and settings of Cassandra 4.1, because it is made from an older release",
		func(c clues) bool {
			return slices.Contains(c.columns, "dse_version") || slices.Contains(c.keyspaces, "dse_system")
		},
	},
	{
		"YugabyteDB",
		"EACH_QUORUM, ALL and LOCAL_QUORUM of each datacenter, options of compaction, and the keyspace system_views",
		func(c clues) bool {
			return c.release == "3.9-SNAPSHOT" && slices.Contains(c.tables, "partitions")
		},
	},
}

// at reports whether a configured host has one of the endings.
func (c clues) at(endings ...string) bool {
	return slices.ContainsFunc(c.hosts, func(host string) bool {
		return slices.ContainsFunc(endings, func(ending string) bool { return strings.HasSuffix(strings.ToLower(host), ending) })
	})
}

// recognize returns the product of clues; nil for Apache Cassandra, and for everything unknown.
func recognize(c clues) *product {
	for i := range products {
		if products[i].is(c) {
			return &products[i]
		}
	}
	return nil
}

// readProduct recognizes the product behind a session; nil for Apache Cassandra. What cannot be read does not
// count: the checks that follow report the fault.
func readProduct(ctx context.Context, cfg Config, session driver.Session) *product {
	var c clues
	for _, host := range cfg.Hosts {
		if name, _, err := net.SplitHostPort(host); err == nil {
			host = name
		}
		c.hosts = append(c.hosts, host)
	}
	_ = driver.ScanOne(ctx, session, atNode(selectRelease), &c.release)
	c.keyspaces = readNames(ctx, session, selectKeyspaces)
	c.tables = readNames(ctx, session, selectSystemTables)
	c.columns = readNames(ctx, session, selectLocalColumns)
	return recognize(c)
}

// readNames reads rows of one text. Faults make the list shorter.
func readNames(ctx context.Context, session driver.Session, cql string) (list []string) {
	var name string
	_ = driver.Each(ctx, session, atNode(cql), func() { list = append(list, name) }, &name)
	return list
}

// err refuses the product.
func (p *product) err() error {
	return fmt.Errorf("%w, but %s, which lacks %s; nothing was changed", ErrOtherProduct, p.name, p.lacks)
}

// finding reports the product.
func (p *product) finding() Finding {
	return Finding{
		Level: FindingError, Check: "product", Text: fmt.Sprintf("the cluster is %s, which lacks %s", p.name, p.lacks),
		Hint: "use Apache Cassandra 4.1 or 5.0",
	}
}
