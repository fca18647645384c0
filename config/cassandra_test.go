package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"popelago/mail"
)

func TestCassandraSettings(t *testing.T) {
	c, err := Load("testdata/good/cassandra.toml", nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Validate(); err != nil {
		t.Fatal(err)
	}
	want := Default().Cassandra
	want.Hosts = []string{"10.0.0.1", "node2.example.org:9043", "[fd00::1]:9042", "fd00::2"}
	want.Datacenter, want.Rack, want.Keyspace = "Frankfurt 1", "rack1", "mail_2"
	want.Replication = map[string]int{"Frankfurt 1": 3, "ams": 5}

	want.Username, want.Durability, want.OnUnreachable = "popelago", "each", "local"
	want.Failover, want.FailoverAfter = []string{"ams"}, time.Minute
	want.PasswordFile = "testdata/good/cassandra.password"
	want.TLS, want.TLSCA, want.TLSCertificate = true, "/etc/ssl/cassandra-ca.pem", "testdata/good/client.pem"
	want.TLSKey, want.TLSVerifyNames = "testdata/good/client.key", false

	want.Timeout, want.ConnectTimeout, want.Retries, want.Connections, want.Concurrency = 3*time.Second, 2*time.Second, off, 4, 256
	want.QueueTime, want.SpeculativeDelay, want.Window = 500*time.Millisecond, 50*time.Millisecond, 15*time.Minute
	want.FloorEvery, want.BulkAfter, want.Heartbeat, want.ClockEvery = 500, 250_000, 5*time.Second, 200*time.Millisecond
	want.WrittenOff, want.SpoolDir, want.DownReminder = []string{"dc9", "Berlin"}, "testdata/good/spool", 90*time.Second
	if diff := cmp.Diff(want, c.Cassandra, same()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if c.Store.Engine != EngineCassandra || c.SpoolDir() != want.SpoolDir {
		t.Errorf("engine %q, spool %q", c.Store.Engine, c.SpoolDir())
	}
	c.Cassandra.SpoolDir = ""
	if got, want := c.SpoolDir(), "popelago-data/spool"; got != "testdata/good/"+want {
		t.Errorf("spool %q, want it in the data folder", got)
	}
}

// The files of compose.yaml are valid.
func TestDeployed(t *testing.T) {
	for _, name := range []string{"dc1", "dc2"} {
		c, err := Load("../deploy/"+name+".toml", nil)
		if err == nil {
			err = c.Validate()
		}
		if err != nil || c.Store.Engine != EngineCassandra || c.Cassandra.Datacenter != name {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestCassandraEnvironment(t *testing.T) {
	c, err := Load("", []string{
		"POPELAGO_STORE_ENGINE=cassandra",
		"POPELAGO_CASSANDRA_HOSTS=10.0.0.1, 10.0.0.2:9043",
		"POPELAGO_CASSANDRA_DATACENTER=dc1",
		"POPELAGO_CASSANDRA_REPLICATION=dc1=3, dc2=2",
		"POPELAGO_CASSANDRA_TLS=true",
		"POPELAGO_CASSANDRA_WINDOW=20m",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := Default()
	want.Store.Engine = EngineCassandra
	want.Cassandra.Hosts = []string{"10.0.0.1", "10.0.0.2:9043"}
	want.Cassandra.Datacenter = "dc1"
	want.Cassandra.Replication = map[string]int{"dc1": 3, "dc2": 2}
	want.Cassandra.TLS = true
	want.Cassandra.Window = 20 * time.Minute
	if diff := cmp.Diff(want, c, same()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
	if err := c.ApplyEnv([]string{"POPELAGO_CASSANDRA_HOSTS=", "POPELAGO_CASSANDRA_REPLICATION= "}); err != nil {
		t.Fatal(err)
	}
	if c.Cassandra.Hosts != nil || c.Cassandra.Replication != nil {
		t.Errorf("empty variables leave %v and %v", c.Cassandra.Hosts, c.Cassandra.Replication)
	}
	for _, variable := range []string{
		"HOSTS=10.0.0.1,", "HOSTS=http://10.0.0.1", "HOSTS=10.0.0.1 10.0.0.2", "REPLICATION=3", "REPLICATION=dc1",
		"REPLICATION=dc1=", "REPLICATION=dc1=x", "REPLICATION==3", "REPLICATION=dc1=3,dc1=3", "REPLICATION=dc1=3,",
		"REPLICATION=dc1=100", "REPLICATION=dc1=-1", "TLS=yes", "KEYSPACE=", "KEYSPACE=system.local", "DATACENTER=a=b",
	} {
		if err := c.ApplyEnv([]string{"POPELAGO_CASSANDRA_" + variable}); err == nil {
			t.Errorf("%s: no error", variable)
		}
	}
}

func TestCheckNode(t *testing.T) {
	for s, ok := range map[string]bool{
		"10.0.0.1": true, "10.0.0.1:9042": true, "node1": true, "node1.example.org:1": true, "::1": true, "[::1]": true,
		"[fd00::1]:9042": true, "": false, ":9042": false, "node1:": false, "node1:0": false, "node1:65536": false,
		"[node1]:9042": false, "[10.0.0.1]": false, "[10.0.0.1]:1": false, "a b": false, "cassandra://a": false, "[::1": false,
		"::1]": false, "a/b": false, "a,b": false,
	} {
		if err := checkNode(s); (err == nil) != ok {
			t.Errorf("%q: %v", s, err)
		}
	}
}

// A setting for the unused engine is refused, from a file or the environment, except for its default.
func TestForeignSettings(t *testing.T) {
	for _, test := range []struct {
		variable string
		ok       bool
	}{
		{"POPELAGO_CASSANDRA_DATACENTER=dc1", false}, {"POPELAGO_CASSANDRA_RETRIES=3", false},
		{"POPELAGO_CASSANDRA_RETRIES=2", true}, {"POPELAGO_CASSANDRA_HOSTS=", true}, {"POPELAGO_STORE_RESERVE=1GiB", true},
	} {
		_, err := Load("", []string{test.variable})
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.variable, err)
		}
	}
}

// The durability of domains without a durability of their own follows from two settings.
func TestDefaultDurability(t *testing.T) {
	for _, test := range []struct {
		durability, onUnreachable string
		want                      mail.Durability
	}{
		{"local", "refuse", mail.DurabilityLocal}, {"local", "local", mail.DurabilityLocal},
		{"each", "refuse", mail.DurabilityEach}, {"each", "local", mail.DurabilityEachOrLocal},
	} {
		c := Cassandra{Durability: test.durability, OnUnreachable: test.onUnreachable}
		if got := c.DefaultDurability(); got != test.want {
			t.Errorf("%s, on unreachable %s: %q, want %q", test.durability, test.onUnreachable, got, test.want)
		}
	}
}
