package main

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"popelago/bench"
)

// newBenchRawCommand returns "popelago bench raw-cassandra".
func newBenchRawCommand() *cobra.Command {
	var (
		datacenters []string
		hosts       []string
		output      benchOutput
		cfg         bench.RawConfig
	)
	cmd := &cobra.Command{
		Use:   "raw-cassandra",
		Short: "Measure a Cassandra cluster with only the two writes of a delivery",
		Long: `Measure a Cassandra cluster with only the two writes of one delivery: a row with the
content and a row in the index of a mailbox, at LOCAL_QUORUM. A server on the same cluster
can be compared with the result.

With --lwt the same loop also takes a UID and a MODSEQ for each message by compare-and-set
at SERIAL, as mail stores do that number their messages; rounds alternate between the two
loops, and the ratio of the medians is printed. Popelago itself never sends such statements.

The run makes a keyspace and drops it at the end. Foreign keyspaces are left alone. The rows
of --lwt in system.paxos stay until Cassandra purges them.

A freshly started node reaches a fraction of its speed: use --warmup.

If the nodes ask for a password, it is read from the environment variable
` + benchPasswordEnv + `.`,
		Example: `  popelago bench raw-cassandra --datacenter dc1 --hosts 127.1.1.1
  popelago bench raw-cassandra --datacenter dc1 --hosts 127.1.1.1 --datacenter dc2 --hosts 127.1.2.1 \
    --replication dc1=3,dc2=3 --lwt --rounds 3 --warmup 2m`,
		Args: arguments(),
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if cfg.Datacenters, err = rawDatacenters(datacenters, hosts); err != nil {
				return err
			}
			if cfg.Username != "" {
				cfg.Password = os.Getenv(benchPasswordEnv)
			}
			return output.run(cmd, func(ctx context.Context, p *bench.Progress) (bench.Report, error) {
				cfg.Progress = p
				return bench.Raw(ctx, cfg)
			})
		},
	}
	output.add(cmd)
	f := cmd.Flags()
	f.StringArrayVar(&datacenters, "datacenter", []string{"dc1"}, "datacenter to put load on; may be repeated, each with --hosts")
	f.StringArrayVar(&hosts, "hosts", []string{"127.1.1.1"}, "contact points in the datacenter, ADDRESS[,ADDRESS...]")
	f.StringToIntVar(&cfg.Replication, "replication", nil, "replicas in each datacenter, such as dc1=3,dc2=3 (default one in each)")
	f.StringVar(&cfg.Keyspace, "keyspace", "popelago_bench", "keyspace to make and drop")
	f.StringVar(&cfg.Username, "username", "", "sign in to the cluster with this name")
	f.IntVar(&cfg.Workers, "connections", 32, "messages in flight, in all datacenters together")
	f.IntVar(&cfg.NodeConnections, "node-connections", 2, "connections to each node")
	f.IntVar(&cfg.Mailboxes, "users", 80, "mailboxes that get the messages in turn")
	f.IntVar(&cfg.Size, "size", 8192, "size of a message in octets")
	f.BoolVar(&cfg.LWT, "lwt", false, "compare with a UID and a MODSEQ for each message, by compare-and-set at SERIAL")
	f.IntVar(&cfg.Rounds, "rounds", 1, "how often each loop is measured")
	f.DurationVar(&cfg.Duration, "duration", 10*time.Second, "how long one loop is measured in one round")
	f.DurationVar(&cfg.Warmup, "warmup", 30*time.Second, "how long each loop runs before anything is measured")
	f.DurationVar(&cfg.Timeout, "timeout", 5*time.Second, "how long to wait for the answer of a node")
	return cmd
}

// rawDatacenters joins each datacenter name with its hosts.
func rawDatacenters(names, hosts []string) ([]bench.RawDatacenter, error) {
	if len(names) != len(hosts) {
		return nil, &usageError{"each --datacenter wants one --hosts"}
	}
	var list []bench.RawDatacenter
	for i, name := range names {
		list = append(list, bench.RawDatacenter{Name: name, Hosts: strings.Split(hosts[i], ",")})
	}
	return list, nil
}
