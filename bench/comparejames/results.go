package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"popelago/bench/process"
)

// popelago is the name of our server.
const popelago = "popelago"

// results holds all measurements. Memory is in octets, after the rounds.
type results struct {
	settings                                  settings
	theirs, ours                              process.Rates
	jamesMemory, brokerMemory, popelagoMemory int64
}

// of returns the rates of a server.
func (r *results) of(s *process.Server) *process.Rates {
	if s.Name == popelago {
		return &r.ours
	}
	return &r.theirs
}

// memory reads the memory of the processes.
func (r *results) memory(broker *rabbitMQ, james, ours *process.Server) error {
	for _, m := range []struct {
		into *int64
		of   *process.Server
	}{{&r.jamesMemory, james}, {&r.brokerMemory, &broker.Server}, {&r.popelagoMemory, ours}} {
		var err error
		if *m.into, err = m.of.Memory(); err != nil {
			return err
		}
	}
	return nil
}

// write prints the table.
func (r *results) write(w io.Writer) error {
	s := r.settings
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintf(t, "median of %d, lowest to highest\tjames\t\tpopelago\t\tratio\twanted\t\n", s.rounds)
	process.WriteRatios(t, &r.theirs, &r.ours, process.Wanted{RETR: 10})
	process.WriteCosts(t, "all processes", &r.theirs.Cost, &r.ours.Cost)
	mib := func(octets int64) float64 { return float64(octets) / (1 << 20) }
	fmt.Fprintf(t, "memory of the server, MiB\t%.0f\t\t%.0f\t\t\t\t\n", mib(r.jamesMemory), mib(r.popelagoMemory))
	fmt.Fprintf(t, "memory of RabbitMQ, MiB\t%.0f\t\t\t\t\t\t\n", mib(r.brokerMemory))
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, `%d messages of %d octets a round, fetched %d times and compared, %d users, %d connections, a connection for each delivery
One node for both: Cassandra %s, heap %s, commitlog_sync batch, replication 1
James %s, distributed POP3 app: heap %s, contents in Cassandra, search "scanning", passwords as SHA-512, log level WARN
`, s.messages, size, s.passes, users, connections, s.version, s.heap, jamesVersion, s.james)
	return err
}
