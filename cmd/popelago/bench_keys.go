package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"popelago/store/cassandra/keyload"
)

// newBenchKeysCommand returns "popelago bench keys".
func newBenchKeysCommand() *cobra.Command {
	var (
		w        = keyload.DefaultWorkload()
		nodes    []int
		tokens   int
		atRandom bool
		seed     uint64
		accounts float64
		asJSON   bool
	)
	cmd := &cobra.Command{
		Use:   "keys",
		Short: "Compute the largest partitions and the hottest nodes of a Cassandra cluster for a workload",
		Long: `Compute the largest partitions and the hottest nodes of a Cassandra cluster for a workload.

Needs no cluster: the partition keys are the keys that a server uses, the tokens those of
Cassandra. Each datacenter has three racks with a replica in each. Every account and every
shard counts with its own key; contents are spread by the token ranges of the nodes.

By default all accounts are in one domain. All removals are in one datacenter, the worst
case for the table of removals. Rates are those of the busiest hour; of 24 such hours the one
with the hottest node counts.

The exit code is 1 if a partition has more than 100 MB, or a node more than 1.3 times the
mean octets or requests.`,
		Example: `  popelago bench keys
  popelago bench keys --accounts 1e6 --messages 1e8 --daily 100 --trace`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			w.Accounts = int64(accounts)
			var clusters []keyload.Cluster
			for _, n := range nodes {
				clusters = append(clusters, keyload.Cluster{Nodes: n / w.Datacenters, Tokens: tokens, Random: atRandom})
			}
			report, err := keyload.Compute(cmd.Context(), w, clusters, seed, nil)
			if err != nil {
				return withExit(exitUsage, err)
			}
			if asJSON {
				enc := json.NewEncoder(cmd.OutOrStdout())
				enc.SetIndent("", "  ")
				err = enc.Encode(report)
			} else {
				err = report.WriteTable(cmd.OutOrStdout())
			}
			if err != nil {
				return err
			}
			if n := report.Broken(); n > 0 {
				return problem(fmt.Sprintf("bench: bounds broken: %d", n))
			}
			return nil
		},
	}
	f := cmd.Flags()
	f.Float64Var(&accounts, "accounts", float64(w.Accounts), "accounts")
	f.Int64Var(&w.Domains, "domains", w.Domains, "domains, with equally many accounts")
	f.Float64Var(&w.Messages, "messages", w.Messages, "messages stored")
	f.Float64Var(&w.Skew, "skew", w.Skew, "exponent of Zipf's law for the messages of an account")
	f.Float64Var(&w.Daily, "daily", w.Daily, "messages that an account receives, and removes, on a day")
	f.Float64Var(&w.Polls, "polls", w.Polls, "logins of an account on a day")
	f.Float64Var(&w.Peak, "peak", w.Peak, "rate of the busiest hour, as a multiple of the mean")
	f.Int64Var(&w.Size, "size", w.Size, "octets of a message")
	f.IntVar(&w.Bulk, "bulk", w.Bulk, "bulk mailboxes, in addition to the accounts")
	f.Float64Var(&w.BulkDaily, "bulk-daily", w.BulkDaily, "messages that a bulk mailbox receives on a day")
	f.DurationVar(&w.Undelete, "undelete", w.Undelete, "tasks.undelete_window")
	f.Float64Var(&w.Faults, "faults", w.Faults, "part of the deliveries with an unknown outcome, which enter the ledger")
	f.IntVar(&w.Servers, "servers", w.Servers, "servers in each datacenter")
	f.IntVar(&w.Datacenters, "datacenters", w.Datacenters, "datacenters")
	f.BoolVar(&w.Trace, "trace", false, "trace.enabled")
	f.BoolVar(&w.Audit, "audit", false, "audit.enabled")
	f.BoolVar(&w.Queue, "queue", false, "events for webhooks, one for each message")
	f.DurationVar(&w.Kept, "kept", 30*24*time.Hour, "time for which records are kept")
	f.IntSliceVar(&nodes, "nodes", []int{6, 12, 24, 48, 96, 198, 396}, "nodes of all datacenters together")
	f.IntVar(&tokens, "tokens", 16, "num_tokens of a node")
	f.BoolVar(&atRandom, "random-tokens", false, "nodes choose their tokens at random, without allocate_tokens_for_local_replication_factor")
	f.Uint64Var(&seed, "seed", 1, "makes other random tokens")
	f.BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}
