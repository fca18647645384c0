package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"popelago/bench"
	"popelago/bench/process"
)

// everywhere runs one command of "popelago bench" for each datacenter, all at the same time. args
// returns the arguments.
func (l *lab) everywhere(ctx context.Context, args func(i int, s *process.Server) []string) ([]bench.Report, error) {
	reports, errs := make([]bench.Report, len(l.servers)), make([]error, len(l.servers))
	var wg sync.WaitGroup
	for i, s := range l.servers {
		wg.Go(func() { reports[i], errs[i] = process.Bench(ctx, l.binary, args(i, s)...) })
	}
	wg.Wait()
	return reports, errors.Join(errs...)
}

// deliver returns the arguments of a delivery to all users. more limits the delivery.
func (l *lab) deliver(s *process.Server, more ...string) []string {
	return append([]string{
		"deliver", "--addr", s.LMTP, "--users", strconv.Itoa(users), "--size", strconv.Itoa(size),
		"--connections", strconv.Itoa(max(1, connections/len(l.settings.datacenters))),
	}, more...)
}

// pop3 is the arguments of a POP3 command for all users.
func (l *lab) pop3(s *process.Server, verb string, more ...string) []string {
	return append([]string{
		verb, "--addr", s.POP3, "--users", strconv.Itoa(users), "--password-file", l.passwords(), "--connections", "8",
	}, more...)
}

// poll does STAT for every user once, at the server of datacenter i.
func (l *lab) poll(ctx context.Context, i int) (bench.Report, error) {
	return process.Bench(ctx, l.binary, l.pop3(l.servers[i], "poll", "--count", strconv.Itoa(users))...)
}

// bare returns the settings of the bare loop on all datacenters.
func (l *lab) bare(duration time.Duration) bareConfig {
	c := bareConfig{
		replication: map[string]int{}, workers: connections, mailboxes: users, size: size, timeout: 30 * time.Second, duration: duration,
	}
	for _, dc := range l.settings.datacenters {
		c.datacenters = append(c.datacenters, bareDatacenter{name: dc.Name, hosts: l.cluster.Addresses(dc.Name)})
		c.replication[dc.Name] = replicas(dc)
	}
	return c
}

// sum adds up a row of several reports: rates and counts. The latencies are those of the slowest
// report.
func sum(reports []bench.Report, row string) bench.Row {
	total := bench.Row{Name: row}
	for i := range reports {
		r := reports[i].Row(row)
		total.Count += r.Count
		total.PerSecond += r.PerSecond
		if r.P99 >= total.P99 {
			total.Latency = r.Latency
		}
	}
	return total
}

// tolerate turns the error of a finished run with errors into their count: cold or overloaded nodes
// answer too late.
func tolerate(reports []bench.Report, err error) (met int64, _ error) {
	if err == nil {
		return 0, nil
	}
	for i := range reports {
		met += reports[i].ErrorCount()
		if sum(reports[i:i+1], "messages").Count+sum(reports[i].Parts, "messages").Count == 0 {
			return met, err
		}
	}
	if met == 0 {
		return 0, err
	}
	return met, nil
}

// where describes the cluster.
func (l *lab) where() string {
	var list []string
	for _, dc := range l.settings.datacenters {
		list = append(list, fmt.Sprintf("%s:%d", dc.Name, dc.Nodes))
	}
	access := ""
	if l.settings.commitLogAccess != "legacy" {
		access = ", commitlog_disk_access_mode " + l.settings.commitLogAccess
	}
	compiler := ""
	if l.settings.brief {
		compiler = ", Java's first compiler alone"
	}
	return fmt.Sprintf("Cassandra %s, %s, replication %s, commitlog_sync %s%s%s",
		l.cluster.Version, strings.Join(list, ","), l.replication("="), l.settings.commitLog, access, compiler)
}
