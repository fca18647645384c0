package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"popelago/bench/process"
	"popelago/cassandratest"
)

// lab is the cluster with the measured servers.
type lab struct {
	settings settings
	dir      string
	binary   string // popelago

	cluster *cassandratest.Cluster
	servers []*process.Server // one for each datacenter, in order
}

// start starts the cluster and the servers. The caller calls stop, also after an error.
func (l *lab) start(ctx context.Context) (err error) {
	process.Note("starting Cassandra: %d nodes", len(l.nodeNames()))
	o := cassandratest.Options{
		Datacenters: l.settings.datacenters, Version: l.settings.version, Dir: filepath.Join(l.dir, "cluster"), Heap: l.settings.heap, Brief: l.settings.brief, Nodetool: true,
		// Several nodes share this machine, so slow answers are normal.
		Settings: map[string]string{"write_request_timeout": "10000ms", "read_request_timeout": "10000ms"},
	}
	if l.settings.commitLog == "periodic" {
		o.Settings["commitlog_sync"], o.Settings["commitlog_sync_period"] = "periodic", "10000ms"
	}
	if l.settings.commitLogAccess != "legacy" { // Cassandra 4.1 has no such setting
		o.Settings["commitlog_disk_access_mode"] = l.settings.commitLogAccess
	}
	if l.cluster, err = cassandratest.New(ctx, o); err != nil {
		return err
	}
	if err := process.WritePasswords(l.passwords(), users); err != nil {
		return err
	}
	for i := range l.settings.datacenters {
		s, config, err := l.configure(i, l.data(i), "zstd")
		if err != nil {
			return err
		}
		if i == 0 {
			process.Note("applying the schema")
			if err := process.Run(ctx, nil, l.binary, "schema", "apply", "--config", config); err != nil {
				return err
			}
		}
		process.Note("starting %s", s.Name)
		if err := s.Start(ctx, l.binary, "serve", "--config", config); err != nil {
			return err
		}
		l.servers = append(l.servers, s)
	}
	if err := process.AddAccounts(ctx, l.binary, l.data(0), users); err != nil {
		return err
	}
	return l.waitAccounts(ctx)
}

// waitAccounts waits until the users can sign in everywhere: the accounts are made in one
// datacenter.
func (l *lab) waitAccounts(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for i := range l.servers {
		for {
			_, err := l.poll(ctx, i)
			if err == nil {
				break
			}
			select {
			case <-ctx.Done():
				return err
			case <-time.After(time.Second):
			}
		}
	}
	return nil
}

// stop ends servers and nodes.
func (l *lab) stop() error {
	var errs []error
	for _, s := range l.servers {
		errs = append(errs, s.Stop())
	}
	if l.cluster != nil {
		l.cluster.Stop()
	}
	return errors.Join(errs...)
}

func (l *lab) passwords() string { return filepath.Join(l.dir, "passwords") }

// data is the data folder of the server of datacenter i.
func (l *lab) data(i int) string {
	return filepath.Join(l.dir, "popelago-"+l.settings.datacenters[i].Name)
}

// nodeNames lists the nodes.
func (l *lab) nodeNames() []string {
	var names []string
	for _, dc := range l.settings.datacenters {
		for n := range dc.Nodes {
			names = append(names, fmt.Sprintf("%s-%d", dc.Name, n+1))
		}
	}
	return names
}

// configure writes the configuration of a server in datacenter i, with a data folder and a compression.
func (l *lab) configure(i int, data, compression string) (s *process.Server, config string, err error) {
	name := l.settings.datacenters[i].Name
	return process.OnCassandra{
		Datacenter: name, Hosts: l.cluster.Addresses(name), Replication: l.replication(" = "), Compression: compression, Window: l.settings.window,
	}.Configure("popelago in "+name, data)
}

// replication lists the replicas of each datacenter, three where there are as many nodes.
func (l *lab) replication(equals string) string {
	var list []string
	for _, dc := range l.settings.datacenters {
		list = append(list, fmt.Sprintf("%s%s%d", dc.Name, equals, replicas(dc)))
	}
	return strings.Join(list, ",")
}

// replicas returns the count of replicas in a datacenter.
func replicas(dc cassandratest.Datacenter) int { return min(3, dc.Nodes) }

// empty removes all mail, and the traces of removed mail. Overloaded nodes get time to recover.
func (l *lab) empty(ctx context.Context) error {
	for start := time.Now(); ; {
		err := truncate(ctx, l.cluster.Nodes[0])
		if err == nil {
			return nil
		}
		if err := stillTime(ctx, start, err.Error()); err != nil {
			return err
		}
	}
}

// warmUp delivers for a while, where the settings ask for it, and removes all mail.
func (l *lab) warmUp(ctx context.Context) error {
	if l.settings.warmup > 0 {
		process.Note("warming up: deliveries for %s", l.settings.warmup)
		reports, err := l.lmtp(ctx, l.settings.warmup)
		if _, err := tolerate(reports, err); err != nil {
			return err
		}
	}
	return l.empty(ctx)
}

// truncate empties the tables of mail through one node.
func truncate(ctx context.Context, n *cassandratest.Node) error {
	s, err := n.Session(time.Minute)
	if err != nil {
		return err
	}
	defer s.Close()
	for _, table := range []string{"mailbox", "content", "trash"} {
		if err := s.Query("TRUNCATE popelago." + table).ExecContext(ctx); err != nil {
			return fmt.Errorf("empty table %s: %w", table, err)
		}
	}
	return nil
}
