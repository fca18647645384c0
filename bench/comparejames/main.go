// Command comparejames measures Popelago and the distributed POP3 app of Apache James on the same machine and the same
// Cassandra node, with the same load, one after the other, and prints one table. bench/compare-james runs it.
//
// James needs more than the node: RabbitMQ, which gets an instance of its own, and a place for contents, for which James
// gets Cassandra. Both products have a keyspace of their own, without further replicas. The node acknowledges what is on
// disk. "popelago bench", in a separate process, makes the load.
//
// One round on one product: deliver messages of 8 KiB by LMTP over 16 connections; wait until POP3 lists all of them,
// because James lists a message some time after the reply; fetch all of them several times, pipelined, and compare them
// with the sent ones; remove all of them; deliver ten to each user and poll. Rounds alternate between the products, and
// the second product of a round is the first of the next. Rounds of the warm-up are not counted: each product makes rounds for
// the same time, because the node compiles its code for the statements of each product.
//
// Every delivery has a connection of its own: James 3.9.0 answers a second MAIL on an LMTP connection with 503.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"popelago/bench/process"
	"popelago/cassandratest"
)

// settings are the command's flags.
type settings struct {
	dir      string
	rounds   int
	messages int           // delivered, fetched and removed in one round
	passes   int           // how often they are fetched
	poll     time.Duration // time for polls in one round
	warmup   time.Duration // of each product
	rest     time.Duration // before each product's part of a round
	source   string        // repository with the source of James
	java     string        // folder of the JDK for James
	version  string        // of Cassandra
	heap     string        // of the node
	james    string        // heap of James
	keep     bool
}

const (
	users       = 80
	connections = 16
	size        = 8192
	// cassandraVersion is the newest line that James runs on: James 3.9.0 calls a function that Cassandra 5.0 has no longer.
	cassandraVersion = "4.1.10"
	// patience is the longest start of James and of RabbitMQ, on a busy machine.
	patience = 15 * time.Minute
)

func main() {
	var s settings
	var quick bool
	flag.StringVar(&s.dir, "dir", "", "make the temporary folder in this one: its disk is part of what is measured")
	flag.IntVar(&s.rounds, "rounds", 3, "rounds on each product")
	flag.IntVar(&s.messages, "messages", 4_000, "messages in a round")
	flag.DurationVar(&s.warmup, "warmup", 3*time.Minute, "how long each product makes rounds before anything is measured")
	flag.StringVar(&s.source, "source", "https://github.com/apache/james-project.git", "git repository of Apache James, an address or a folder")
	flag.StringVar(&s.java, "java", "", "folder of a JDK for James (default: a JDK of at least 21 in JAVA_HOME or "+javaFolder+")")
	flag.StringVar(&s.version, "version", cassandraVersion, "version of Cassandra")
	flag.StringVar(&s.heap, "heap", "1G", "heap of the Cassandra node")
	flag.StringVar(&s.james, "james-heap", "1500m", "heap of James")
	flag.BoolVar(&s.keep, "keep", false, "leave the temporary folder, with logs and configurations")
	flag.BoolVar(&quick, "quick", false, "one short round")
	flag.Parse()
	s.passes, s.poll, s.rest = 3, 10*time.Second, 10*time.Second
	if quick {
		s.rounds, s.messages, s.warmup = 1, min(s.messages, 800), min(s.warmup, 30*time.Second)
		s.poll, s.rest = 3*time.Second, 2*time.Second
	}
	process.Main("compare-james", func(ctx context.Context) error { return compare(ctx, s) })
}

// compare does everything and leaves nothing running.
func compare(ctx context.Context, s settings) error {
	switch {
	case flag.NArg() > 0:
		return fmt.Errorf("unexpected argument %q", flag.Arg(0))
	case s.rounds < 1 || s.messages < users || s.warmup < 0:
		return fmt.Errorf("rounds, messages, warmup: want at least 1, %d and 0", users)
	}
	java, err := findJDK(s.java)
	if err != nil {
		return err
	}
	if err := installRabbitMQ(ctx); err != nil {
		return err
	}
	code, err := compileJames(ctx, java, s.source)
	if err != nil {
		return err
	}
	return process.InFolder(s.dir, "compare-james", s.keep, func(dir string) error { return compareIn(ctx, dir, java, code, s) })
}

// compareIn is compare with all files in dir. java and code are folders: the JDK and the compiled James.
func compareIn(ctx context.Context, dir, java, code string, s settings) (err error) {
	binary, err := process.Build(ctx, dir)
	if err != nil {
		return err
	}
	process.Note("starting Cassandra %s", s.version)
	cluster, err := cassandratest.New(ctx, cassandratest.Options{Version: s.version, Dir: filepath.Join(dir, "cluster"), Heap: s.heap, Patient: true, Unkilled: true})
	if err != nil {
		return err
	}
	defer cluster.Stop()
	node := cluster.Nodes[0]

	process.Note("starting RabbitMQ")
	broker, err := newRabbitMQ(filepath.Join(dir, "rabbitmq"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, broker.stop()) }()
	if err := broker.start(ctx); err != nil {
		return err
	}
	process.Note("starting James %s", jamesVersion)
	james, err := newJames(filepath.Join(dir, "james"), node.Address, broker)
	if err != nil {
		return err
	}
	if err := james.start(ctx, java, code, s.james); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, james.Stop()) }()
	if err := james.addUsers(ctx, users); err != nil {
		return err
	}
	process.Note("starting Popelago")
	ours, err := startPopelago(ctx, filepath.Join(dir, "popelago-data"), binary, node)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, ours.Stop()) }()

	load := &process.Load{
		Binary: binary, Passwords: filepath.Join(dir, "passwords"), Users: users, Size: size, Connections: connections,
		PerConnection: 1, Check: true, Settle: 10 * time.Minute,
		Used: func(s *process.Server) (time.Duration, error) { return used(s, broker, node) },
	}
	if err := process.WritePasswords(load.Passwords, users); err != nil {
		return err
	}
	r := results{settings: s}
	if err := measure(ctx, load, &james.Server, ours, &r); err != nil {
		return err
	}
	if err := r.memory(broker, &james.Server, ours); err != nil {
		return err
	}
	return r.write(os.Stdout)
}

// used returns the time of processors that a product, the node and, for James, the broker have used.
func used(s *process.Server, broker *rabbitMQ, node *cassandratest.Node) (time.Duration, error) {
	sum, err := process.CPU(node.PID())
	if err != nil {
		return 0, err
	}
	servers := []*process.Server{s}
	if s.Name != popelago {
		servers = append(servers, &broker.Server)
	}
	for _, server := range servers {
		some, err := server.CPU()
		if err != nil {
			return 0, err
		}
		sum += some
	}
	return sum, nil
}

// startPopelago starts a Popelago with its users on a node, with the data folder data.
func startPopelago(ctx context.Context, data, binary string, node *cassandratest.Node) (*process.Server, error) {
	s, config, err := process.OnCassandra{
		Datacenter: node.Datacenter, Hosts: []string{node.Address}, Replication: node.Datacenter + " = 1", Compression: "zstd", Window: time.Hour,
	}.Configure(popelago, data)
	if err != nil {
		return nil, err
	}
	if err := process.Run(ctx, nil, binary, "schema", "apply", "--config", config); err != nil {
		return nil, err
	}
	s.Patience = patience
	if err := s.Start(ctx, binary, "serve", "--config", config); err != nil {
		return nil, err
	}
	if err := process.AddAccounts(ctx, binary, data, users); err != nil {
		return nil, errors.Join(err, s.Stop())
	}
	return s, nil
}

// measure makes the rounds.
func measure(ctx context.Context, load *process.Load, james, ours *process.Server, r *results) error {
	order := []*process.Server{james, ours}
	round := func(name string, server *process.Server, rates *process.Rates) error {
		process.Note("%s: %s", name, server.Name)
		// The node and the products finish background work of the round before.
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(r.settings.rest):
		}
		set := process.Round{Messages: r.settings.messages, Passes: r.settings.passes, Poll: r.settings.poll}
		if err := load.Round(ctx, server, set, rates); err != nil {
			return fmt.Errorf("%s: %w", server.Name, err)
		}
		return nil
	}
	for _, server := range order {
		for start, n := time.Now(), 1; time.Since(start) < r.settings.warmup; n++ {
			if err := round(fmt.Sprintf("warm-up %d", n), server, &process.Rates{}); err != nil {
				return err
			}
		}
	}
	for n := range r.settings.rounds {
		for _, server := range order {
			if err := round(fmt.Sprintf("round %d of %d", n+1, r.settings.rounds), server, r.of(server)); err != nil {
				return err
			}
		}
		order[0], order[1] = order[1], order[0]
	}
	return nil
}
