// Command cmd runs a cluster of real Cassandra nodes on this machine, for development.
// ./scripts/cassandra calls it.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"

	"popelago/cassandratest"
)

const usage = `usage: ./scripts/cassandra COMMAND

  start [--datacenters NAME:NODES[,NAME:NODES...]] [--version VERSION] [--heap SIZE] [--link]
        [--network K]
               start a cluster (default dc1:1), say how far it is, and wait until it can be
               used; node M of datacenter N listens on 127.K.N.M, port 9042 (default of K: 1)
  stop         end all nodes and remove their data
  status       list the nodes
  kill NODE    end a node at once; its data stays
  restart NODE start a killed node again
  pause NODE   stop a node in its tracks (SIGSTOP)
  resume NODE  let it go on
  wipe NODE    end a node and remove its data, as the loss of its disks would
  replace NODE put a new node in its place, which streams from the others what it should hold
  move NODE    end a node, and start it again with its data under another address
  nodetool NODE ARGUMENT...
               run Cassandra's nodetool on a node, such as: nodetool dc1-1 repair -pr popelago
  cut DATACENTER DATACENTER [--one-way]
  heal DATACENTER DATACENTER
               break and mend the line between two datacenters, if the cluster was started
               with --link (as root); node M of datacenter N then listens on 10.(100+K).N.M.
               With --one-way what the first sends to the second is lost, and nothing else

A NODE is named DATACENTER-NUMBER, such as dc1-1. All commands take --dir DIR, the folder of
the cluster (default: popelago/cluster in the user's cache folder); nodetool takes it before
NODE. Clusters with folders and networks of their own run side by side. If DIR is what
TEST_CASSANDRA_KEEP names, stop and status are about all clusters that tests have left there.
`

// defaultNetwork is K in 127.K.N.M, outside the networks of the tests.
const defaultNetwork = 1

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) == 0 || args[0] == "help" || args[0] == "-h" || args[0] == "--help" {
		fmt.Print(usage)
		return nil
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return err
	}
	flags := flag.NewFlagSet(args[0], flag.ContinueOnError)
	flags.Usage = func() { fmt.Fprint(os.Stderr, usage) }
	dir := flags.String("dir", filepath.Join(cache, "popelago", "cluster"), "")
	datacenters := flags.String("datacenters", "dc1:1", "")
	version := flags.String("version", "", "")
	heap := flags.String("heap", "", "")
	link := flags.Bool("link", false, "")
	oneWay := flags.Bool("one-way", false, "")
	network := flags.Int("network", defaultNetwork, "")
	operands, err := parse(flags, args[1:], args[0] == "nodetool")
	if err != nil {
		return errors.New("") // usage has been shown
	}
	full, err := filepath.Abs(*dir)
	if err != nil {
		return err
	}
	if args[0] == "start" {
		list, err := cassandratest.ParseDatacenters(*datacenters)
		if err != nil {
			return err
		}
		return start(ctx, cassandratest.Options{
			Datacenters: list, Version: *version, Heap: *heap, Dir: full, Network: *network, Link: *link, Detached: true,
			Log: func(line string) { fmt.Fprintln(os.Stderr, line) },
		})
	}
	if args[0] == "stop" || args[0] == "status" {
		all, err := clusters(full)
		if err != nil {
			return err
		}
		if args[0] == "status" {
			return status(ctx, all...)
		}
		for _, c := range all {
			c.Stop()
			err = errors.Join(err, os.RemoveAll(c.Dir))
		}
		return err
	}
	c, err := cassandratest.Load(full)
	if err != nil {
		return err
	}
	if args[0] == "cut" || args[0] == "heal" {
		return line(c, args[0], operands, *oneWay)
	}
	if len(operands) == 0 {
		return fmt.Errorf("%s: which node? See ./scripts/cassandra status", args[0])
	}
	n := c.Node(operands[0])
	if n == nil {
		return fmt.Errorf("no node %q: see ./scripts/cassandra status", operands[0])
	}
	return onNode(ctx, c, n, args[0], operands[1:])
}

// parse parses flags at any place, and returns the operands: NODE and the rest. With rest all
// arguments after the first operand belong to another program.
func parse(flags *flag.FlagSet, args []string, rest bool) (operands []string, err error) {
	for {
		if err := flags.Parse(args); err != nil || flags.NArg() == 0 {
			return operands, err
		}
		if rest {
			return flags.Args(), nil
		}
		operands, args = append(operands, flags.Arg(0)), flags.Args()[1:]
	}
}

// line cuts or heals the line between two datacenters.
func line(c *cassandratest.Cluster, command string, operands []string, oneWay bool) error {
	if len(operands) != 2 {
		return fmt.Errorf("%s: between which two datacenters?", command)
	}
	set := c.Heal
	switch {
	case command == "cut" && oneWay:
		set = c.CutOneWay
	case command == "cut":
		set = c.Cut
	}
	if err := set(operands[0], operands[1]); err != nil {
		return err
	}
	return c.Save()
}

// onNode runs a command on a node.
func onNode(ctx context.Context, c *cassandratest.Cluster, n *cassandratest.Node, command string, arguments []string) error {
	switch command {
	case "nodetool":
		tool, err := n.Nodetool(ctx, arguments...)
		if err != nil {
			return err
		}
		tool.Stdin, tool.Stdout, tool.Stderr = os.Stdin, os.Stdout, os.Stderr
		return tool.Run()
	case "kill":
		n.Kill()
	case "restart":
		fmt.Fprintf(os.Stderr, "node %s starts; log: %s\n", n.Name, n.LogFile())
		if err := n.Start(ctx); err != nil {
			return err
		}
	case "wipe":
		if err := n.Wipe(); err != nil {
			return err
		}
	case "replace":
		fmt.Fprintf(os.Stderr, "node %s is replaced: the others have to miss it first; log: %s\n", n.Name, n.LogFile())
		if err := c.Replace(ctx, n); err != nil {
			return err
		}
	case "move":
		n.Kill()
		if err := c.Move(n); err != nil {
			return err
		}
		fmt.Fprintf(os.Stderr, "node %s starts at %s; log: %s\n", n.Name, n.Address, n.LogFile())
		if err := n.Start(ctx); err != nil {
			return err
		}
	case "pause":
		return n.Pause()
	case "resume":
		return n.Resume()
	default:
		return fmt.Errorf("unknown command %q: see ./scripts/cassandra help", command)
	}
	return c.Save()
}

func start(ctx context.Context, o cassandratest.Options) error {
	c, err := cassandratest.New(ctx, o)
	if err != nil {
		return err
	}
	if err := c.Save(); err != nil {
		c.Stop()
		return err
	}
	return status(ctx, c)
}

// clusters loads the cluster in a folder, or the clusters in its subfolders.
func clusters(dir string) ([]*cassandratest.Cluster, error) {
	c, err := cassandratest.Load(dir)
	if err == nil {
		return []*cassandratest.Cluster{c}, nil
	}
	var all []*cassandratest.Cluster
	subfolders, _ := os.ReadDir(dir)
	for _, entry := range subfolders {
		c, missing := cassandratest.Load(filepath.Join(dir, entry.Name()))
		if missing == nil {
			all = append(all, c)
		}
	}
	if len(all) == 0 {
		return nil, err
	}
	return all, nil
}

func status(ctx context.Context, clusters ...*cassandratest.Cluster) error {
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintf(w, "NODE\tADDRESS\tSTATE\tLOG\n")
	for _, c := range clusters {
		for _, n := range c.Nodes {
			state := "ended"
			if n.Running() {
				state = "up"
				if err := n.Answers(ctx); err != nil {
					state = "does not answer"
				}
			}
			fmt.Fprintf(w, "%s\t%s:9042\t%s\t%s\n", n.Name, n.Address, state, n.LogFile())
		}
	}
	return w.Flush()
}
