package main

import (
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"popelago/bench"
)

// Datacenters and their hosts are given in pairs.
func TestRawDatacenters(t *testing.T) {
	for _, c := range []struct {
		name string
		args []string
		want []bench.RawDatacenter
		err  string
	}{
		{"default", nil, []bench.RawDatacenter{{Name: "dc1", Hosts: []string{"127.1.1.1"}}}, ""},
		{"two", []string{"--datacenter", "a", "--hosts", "10.0.0.1,10.0.0.2:9043", "--datacenter", "b", "--hosts", "10.1.0.1"},
			[]bench.RawDatacenter{{Name: "a", Hosts: []string{"10.0.0.1", "10.0.0.2:9043"}}, {Name: "b", Hosts: []string{"10.1.0.1"}}}, ""},
		{"hosts missing", []string{"--datacenter", "a", "--datacenter", "b", "--hosts", "10.0.0.1"}, nil, "each --datacenter wants one --hosts"},
		{"datacenter missing", []string{"--hosts", "10.0.0.1", "--hosts", "10.1.0.1"}, nil, "each --datacenter wants one --hosts"},
	} {
		cmd := newBenchRawCommand()
		if err := cmd.ParseFlags(c.args); err != nil {
			t.Fatal(err)
		}
		names, err1 := cmd.Flags().GetStringArray("datacenter")
		hosts, err2 := cmd.Flags().GetStringArray("hosts")
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		got, err := rawDatacenters(names, hosts)
		if c.err == "" && err != nil || c.err != "" && (err == nil || err.Error() != c.err) {
			t.Errorf("%s: error %v, want %q", c.name, err, c.err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, diff)
		}
	}
}

// The flags reach the run, which refuses bad values before it connects.
func TestBenchRawFlags(t *testing.T) {
	for _, c := range []struct {
		args string
		want string
	}{
		{"--keyspace Mail", `keyspace "Mail"`},
		{"--replication dc2=3", "dc1 gets load, but has no replicas"},
		{"--replication dc1", "--replication"},
		{"--size 100", "message size 100"},
		{"--connections -1", "connections: want"},
		{"--node-connections -1", "connections to each node: want"},
		{"--users -1", "mailboxes: want"},
		{"--rounds -1", "rounds: want"},
		{"--duration -1s", "duration: want"},
		{"--warmup -1s", "warm-up: want"},
		{"--timeout -1s", "timeout: want"},
		{"more", "one argument too many"},
	} {
		cmd := newBenchCommand()
		cmd.SilenceErrors, cmd.SilenceUsage = true, true
		cmd.SetOut(io.Discard)
		cmd.SetErr(io.Discard)
		cmd.SetArgs(append([]string{"raw-cassandra"}, strings.Fields(c.args)...))
		if err := cmd.ExecuteContext(t.Context()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: error %v, want one with %q", c.args, err, c.want)
		}
	}
}
