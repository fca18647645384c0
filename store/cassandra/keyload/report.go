package keyload

import (
	"fmt"
	"io"
	"text/tabwriter"
)

// Bounds of a good layout.
const (
	// MaxPartition is the largest partition in octets. Cassandra warns of larger ones.
	MaxPartition = 100_000_000
	// MaxRatio is the largest load of a node, as a multiple of the mean.
	MaxRatio = 1.3
)

// Report is the result of Compute.
type Report struct {
	Workload   Workload
	Partitions []PartitionLoad
	Clusters   []ClusterLoad
}

// PartitionLoad is the largest partition of a table, or of one kind of partitions of a table.
type PartitionLoad struct {
	Table  string
	Kind   string
	Octets float64
	// Requests is the count of requests a second at each replica, zero if it is not worth mentioning.
	Requests float64 `json:",omitempty"`
}

// Broken reports whether the partition is larger than MaxPartition.
func (p PartitionLoad) Broken() bool { return p.Octets > MaxPartition }

// ClusterLoad compares the nodes of a cluster.
type ClusterLoad struct {
	Cluster Cluster
	// Owned is the largest part of the token range of a node, as a multiple of the mean.
	Owned float64
	// Octets and Requests are the node with the most octets and with the most requests a second, and the table
	// with the largest part in the difference from the mean.
	Octets, Requests           Hottest
	OctetsTable, RequestsTable string
}

// Hottest is the node with the largest load.
type Hottest struct {
	Node  int
	Value float64
	Ratio float64 // to the mean
}

// Broken reports whether a node has more than MaxRatio of the mean load.
func (c ClusterLoad) Broken() bool { return max(c.Octets.Ratio, c.Requests.Ratio) > MaxRatio }

// Broken counts the bounds that do not hold.
func (r *Report) Broken() (n int) {
	for _, p := range r.Partitions {
		if p.Broken() {
			n++
		}
	}
	for _, c := range r.Clusters {
		if c.Broken() {
			n++
		}
	}
	return n
}

// largest lists the largest partitions.
func (s *sums) largest(w Workload) []PartitionLoad {
	rate := w.perSecond(w.Daily*float64(w.Accounts) + float64(w.Bulk)*w.BulkDaily)
	most := func(table int) (p partition) {
		for _, q := range s.shards[table] {
			if q.octets > p.octets {
				p = *q
			}
		}
		return p
	}
	trash, address := most(inTrash), most(inAddress)
	list := []PartitionLoad{
		{Table: "mailbox", Kind: "ordinary mailbox, with traces of removals", Octets: s.ordinary},
		{Table: "mailbox", Kind: "day of a bulk mailbox", Octets: s.day},
		{Table: "content", Kind: "chunk", Octets: float64(min(w.Size, chunk) + contentRow)},
		{Table: "trash", Kind: "shard of the busiest hour, all removals in one datacenter", Octets: trash.octets, Requests: trash.requests},
		{Table: "trash", Kind: "the same, and a bulk mailbox removes a day in it", Octets: trash.octets + w.BulkDaily*trashRow, Requests: trash.requests},
		{Table: "address", Kind: "shard", Octets: address.octets, Requests: address.requests},
		{Table: "ledger", Kind: "hour of a datacenter", Octets: rate * w.Faults * 3600 * ledgerRow,
			Requests: rate*w.Faults/float64(w.Datacenters) + float64(w.Servers)/ledgerPoll*2/replicas},
		{Table: "server", Kind: "datacenter", Octets: float64(w.Servers) * serverRow, Requests: float64(w.Servers) / heartbeat * (1 + 2.0/replicas)},
	}
	if w.Bulk == 0 {
		list = append(list[:4], list[5:]...)
	}
	for _, t := range []int{inTrace, inAudit, inQueue} {
		if p := most(t); p.octets > 0 {
			list = append(list, PartitionLoad{Table: tableNames[t], Kind: "shard of a day", Octets: p.octets, Requests: p.requests})
		}
	}
	return list
}

// WriteTable writes the report for people.
func (r *Report) WriteTable(out io.Writer) error {
	t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "table\tlargest partition\tMB\trequests/s at a replica\tbound %d MB\n", MaxPartition/1_000_000)
	for _, p := range r.Partitions {
		requests := "-"
		if p.Requests > 0 {
			requests = fmt.Sprintf("%.0f", p.Requests)
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%s\t%s\n", p.Table, p.Kind, p.Octets/1e6, requests, verdict(p.Broken()))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	t = tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "\nnodes in all\tin each datacenter\ttoken range\toctets\trequests\trequests/s\tmost of it\tbound %.1f\n", MaxRatio)
	for _, c := range r.Clusters {
		fmt.Fprintf(t, "%d\t%d\t%.2f\t%.2f\t%.2f\t%.0f\t%s\t%s\n", c.Cluster.Nodes*r.Workload.Datacenters, c.Cluster.Nodes, c.Owned,
			c.Octets.Ratio, c.Requests.Ratio, c.Requests.Value, c.RequestsTable, verdict(c.Broken()))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintln(out, "\ntoken range, octets, requests: the hottest node, as a multiple of the mean; most of it: the table that makes it hot")
	return err
}

func verdict(broken bool) string {
	if broken {
		return "BROKEN"
	}
	return "holds"
}
