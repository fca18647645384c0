package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"
)

// Cassandra is the section [cassandra]. It counts if Store.Engine is EngineCassandra.
type Cassandra struct {
	Hosts        []string // host or host:port
	Datacenter   string
	Rack         string // empty: none is near
	Keyspace     string
	Replication  map[string]int // replicas by datacenter
	Username     string         // empty: no sign-in
	PasswordFile string

	Durability    string   // "local" or "each"
	OnUnreachable string   // "refuse" or "local"
	Failover      []string // datacenters, the first choice first
	FailoverAfter time.Duration

	TLS            bool
	TLSCA          string // PEM file; empty: the system's authorities
	TLSCertificate string // PEM file; empty: none
	TLSKey         string
	TLSVerifyNames bool
	Timeout        time.Duration
	ConnectTimeout time.Duration
	Retries        int
	Connections    int
	Concurrency    int
	QueueTime      time.Duration

	SpeculativeDelay time.Duration // zero: off
	DownReminder     time.Duration

	Window     time.Duration
	FloorEvery int
	BulkAfter  int
	WrittenOff []string
	Heartbeat  time.Duration
	ClockEvery time.Duration
	SpoolDir   string // empty: see Config.SpoolDir
}

// The storage engines.
const (
	EngineEmbedded  = "embedded"
	EngineCassandra = "cassandra"
)

func defaultCassandra() Cassandra {
	return Cassandra{
		Keyspace:       "popelago",
		Durability:     "local",
		OnUnreachable:  "refuse",
		FailoverAfter:  10 * time.Second,
		TLSVerifyNames: true,
		Timeout:        5 * time.Second,
		ConnectTimeout: 5 * time.Second,
		Retries:        2,
		Connections:    2,
		Concurrency:    512,
		QueueTime:      time.Second,
		Window:         time.Hour,
		FloorEvery:     2000,
		BulkAfter:      100_000,
		Heartbeat:      10 * time.Second,
		ClockEvery:     time.Second,

		SpeculativeDelay: 200 * time.Millisecond,
		DownReminder:     5 * time.Minute,
	}
}

// SpoolDir is the folder where large messages wait until they have arrived whole, if the
// engine needs one.
func (c Config) SpoolDir() string {
	if c.Cassandra.SpoolDir != "" {
		return c.Cassandra.SpoolDir
	}
	return filepath.Join(c.DataDir, "spool")
}

// cassandraSettings is the part of the table about the cluster.
func cassandraSettings(c *Cassandra) []setting {
	return []setting{
		{"cassandra.hosts", nodes(&c.Hosts),
			"Nodes of this datacenter to begin with, as host or host:port; the others are learnt from them. Two or three are enough. The usual port is 9042. With failover, nodes of those datacenters may be named too: only the very first start of a server needs them, and only if it is while this datacenter is away."},
		{"cassandra.datacenter", text(&c.Datacenter, "the name of a datacenter such as \"dc1\"", checkDatacenter),
			"The datacenter of this server, as Cassandra names it (nodetool status). A 250 means that a quorum of its replicas has the message, and mail is read there."},
		{"cassandra.rack", text(&c.Rack, "the name of a rack such as \"rack1\"", checkDatacenter),
			"The rack of this server, as Cassandra names it: nodes there are asked first. Empty: all are near alike."},
		{"cassandra.keyspace", keyspace(&c.Keyspace),
			"The keyspace that everything is kept in."},
		{"cassandra.replication", replicas(&c.Replication),
			"How many replicas each datacenter keeps; 3 is what a datacenter should have. \"popelago schema apply\" makes the keyspace with it; one that exists keeps what it has. In the environment: dc1=3,dc2=3."},
		{"cassandra.username", text(&c.Username, "a user name such as \"popelago\"", func(string) error { return nil }),
			"The user to sign in to the cluster as. Empty: without signing in."},
		{"cassandra.password_file", path(&c.PasswordFile, optional),
			"File with the password of that user, on one line."},

		{"cassandra.durability", oneOf(&c.Durability, "local", "each"),
			"When a message, a removal or a change of an account counts as done, in domains that say nothing else: once a quorum of this datacenter has it, or of each. With \"local\" losing a whole datacenter loses what had not reached another yet, normally milliseconds; with \"each\" nothing."},
		{"cassandra.on_unreachable", oneOf(&c.OnUnreachable, "refuse", "local"),
			"What happens with durability = \"each\" while a datacenter cannot be reached: \"refuse\" answers 451, \"local\" stores in this one only, and says so in the reply, the log and a metric."},
		{"cassandra.failover", &list{p: &c.Failover, what: "the name of a datacenter such as \"dc2\"", check: checkDatacenter},
			"Datacenters to go on through, the first choice first, while no node of this one can be reached. Empty: none, mail is then deferred (451). The server returns by itself, and until the nodes here have been told what they missed it reads from all other datacenters, too. That statements go elsewhere is kept in spool_dir first: if that cannot be written to, the server stays."},
		{"cassandra.failover_after", duration(&c.FailoverAfter, time.Second, time.Hour),
			"For how long no node here can be reached before the server goes on through another datacenter; and for three times as long they have to be there again before it returns."},

		{"cassandra.tls", boolean(&c.TLS),
			"Encrypts the connections to the nodes. Without it mail, and the password of the user, cross the network in the clear."},
		{"cassandra.tls_ca", path(&c.TLSCA, optional),
			"PEM file with the authorities that the nodes' certificates must come from. Empty: those the system trusts."},
		{"cassandra.tls_certificate", path(&c.TLSCertificate, optional),
			"PEM file with a certificate to show to the nodes, and the chain behind it; read again for every connection. Empty: none."},
		{"cassandra.tls_key", path(&c.TLSKey, optional),
			"PEM file with that certificate's private key."},
		{"cassandra.tls_verify_names", boolean(&c.TLSVerifyNames),
			"Whether the certificate of a node must name the IP address that it is reached at. false: any certificate from tls_ca will do, for nodes whose certificates name no addresses."},

		{"cassandra.timeout", duration(&c.Timeout, 100*time.Millisecond, 5*time.Minute),
			"How long to wait for the answer of a node. It should be longer than the nodes' own write_request_timeout and read_request_timeout."},
		{"cassandra.connect_timeout", duration(&c.ConnectTimeout, 100*time.Millisecond, 5*time.Minute),
			"How long to wait for a connection to a node."},
		{"cassandra.retries", integer(&c.Retries, 0, 10),
			"How many other nodes are tried after one failed."},
		{"cassandra.connections", integer(&c.Connections, 1, 64),
			"Connections to each node."},
		{"cassandra.concurrency", integer(&c.Concurrency, 1, 100_000),
			"How many statements may be under way at one time, at most: while the cluster cannot keep up it is less, down to 16, and rises again. Background work that asks every replica gets a quarter of them."},
		{"cassandra.queue_time", duration(&c.QueueTime, time.Millisecond, time.Minute),
			"How long a statement waits for one of those places. Then the client is told to come later, 451 or [SYS/TEMP]: better soon than after a time-out. When four times as many wait already it is told so at once."},
		{"cassandra.speculative_delay", duration(&c.SpeculativeDelay, 0, time.Minute),
			"How long a read waits for the node that was asked before another node of the datacenter is asked, too; the first answer counts. It should be longer than nearly all reads take. Writes are not sent twice. 0s: never."},

		{"cassandra.window", duration(&c.Window, time.Second, 30*day).because("what is being delivered must be left alone"),
			"The in-flight window: how old a message or a removal must be before background work takes for certain that nothing about it is still under way, and clears up behind it. It must be the same on all servers of the cluster: while it is not, background work waits. A delivery may take 5 minutes, or a third of it if that is less, and clocks may differ by 5 minutes: less than 15m is for tests only."},
		{"cassandra.floor_every", integer(&c.FloorEvery, 1, maxCount),
			"How many removals from one mailbox make background work look whether all that lies before its oldest message can be skipped from then on."},
		{"cassandra.bulk_after", integer(&c.BulkAfter, 0, maxCount),
			"How many messages in a mailbox, or how many removals behind a message that stays, make background work turn it into a bulk mailbox, which has a place of its own for the messages of each day (popelago account bulk does so by hand). It cannot be undone. 0: never."},
		{"cassandra.heartbeat", duration(&c.Heartbeat, 100*time.Millisecond, 5*time.Minute),
			"How often this server tells the others of its datacenter that it is alive, and compares its clock with theirs and the nodes'. The share that a server had of background work falls to the others six heartbeats after it was killed. A clock that is more than 5 minutes off stops deliveries (451), maildrops with a retention ([SYS/TEMP]) and background work until it is right."},
		{"cassandra.down_reminder", duration(&c.DownReminder, time.Second, day),
			"How often the log says that nodes still do not answer. That they stop, and that they are back, is logged at once."},
		{"cassandra.clock_every", duration(&c.ClockEvery, 50*time.Millisecond, time.Minute),
			"How often this server asks a node of its datacenter whether its clock still agrees with the cluster's: for how long a machine that was suspended, and whose clock stood still meanwhile, may take mail before it notices. No message id is made without a comparison in the last ten times that long."},
		{"cassandra.written_off", &list{p: &c.WrittenOff, what: "the name of a datacenter such as \"dc2\"", check: checkDatacenter},
			"Datacenters that will never come back: the servers of this one take over what is left to be cleared up behind their removals. Before that, take each out of the keyspace (ALTER KEYSPACE ... WITH replication = ...) and out of the cluster (nodetool removenode), or everything that takes away will wait for it for ever. One datacenter is enough to do it."},
		{"cassandra.spool_dir", path(&c.SpoolDir, optional),
			"The folder where messages larger than 256 KiB wait until they have arrived whole. With failover it also keeps which nodes there are, and that reads have to be confirmed: it must outlive the server. It is made if need be. Empty: spool in data_dir."},
	}
}

// keyspace is a name that CQL takes without quotes.
func keyspace(p *string) *word {
	const what = `a name such as "popelago"`
	return &word{p: p, what: what, check: func(s string) error {
		if s == "" {
			return errors.New("must not be empty")
		}
		for i := range len(s) {
			c := s[i]
			if !('a' <= c && c <= 'z' || i > 0 && ('0' <= c && c <= '9' || c == '_')) || len(s) > 48 {
				return fmt.Errorf("%s is not %s: up to 48 small letters, digits and _", show(s), what)
			}
		}
		return nil
	}}
}

// checkEngine looks at what the chosen engine needs, and at what is meant for another one.
// fail is as in check.
func (c *Config) checkEngine(fail func(key, text string, depends ...string)) {
	c.checkForeign(fail)
	if c.Store.Engine != EngineCassandra {
		return
	}
	ca := &c.Cassandra
	if len(ca.Hosts) == 0 {
		fail("store.engine", `"cassandra" needs nodes to begin with: set cassandra.hosts, for instance hosts = ["10.0.0.1", "10.0.0.2"] in [cassandra]`, "cassandra.hosts")
	}
	if ca.Datacenter == "" {
		fail("store.engine", `"cassandra" needs the name of this datacenter: set cassandra.datacenter, for instance datacenter = "dc1" in [cassandra]`, "cassandra.datacenter")
	}
	if slices.Contains(ca.Failover, ca.Datacenter) && ca.Datacenter != "" {
		fail("cassandra.failover", fmt.Sprintf("names %q, which is cassandra.datacenter: it can only go on through another", ca.Datacenter), "cassandra.datacenter")
	}
	if slices.Contains(ca.WrittenOff, ca.Datacenter) && ca.Datacenter != "" {
		fail("cassandra.written_off", fmt.Sprintf("names %q, which is cassandra.datacenter: a server cannot write off its own", ca.Datacenter), "cassandra.datacenter")
	}
	for _, name := range ca.WrittenOff {
		if _, ok := ca.Replication[name]; ok && name != ca.Datacenter {
			fail("cassandra.written_off", fmt.Sprintf("names %q, which has replicas in cassandra.replication: take it out there, and out of the keyspace", name), "cassandra.replication")
		}
	}
	if _, ok := ca.Replication[ca.Datacenter]; !ok && len(ca.Replication) > 0 && ca.Datacenter != "" {
		fail("cassandra.replication", fmt.Sprintf("has no replica in %q, which is cassandra.datacenter: add it, or correct one of the names", ca.Datacenter), "cassandra.datacenter")
	}
	switch {
	case ca.Username != "" && ca.PasswordFile == "":
		fail("cassandra.username", "needs a password: set cassandra.password_file", "cassandra.password_file")
	case ca.PasswordFile != "" && ca.Username == "":
		fail("cassandra.password_file", "needs a user: set cassandra.username", "cassandra.username")
	}
	c.checkCassandraTLS(fail)
}

func (c *Config) checkCassandraTLS(fail func(key, text string, depends ...string)) {
	ca := &c.Cassandra
	if !ca.TLS {
		const text = "needs cassandra.tls = true"
		for _, s := range []struct {
			key string
			set bool
		}{
			{"cassandra.tls_ca", ca.TLSCA != ""}, {"cassandra.tls_certificate", ca.TLSCertificate != ""},
			{"cassandra.tls_key", ca.TLSKey != ""}, {"cassandra.tls_verify_names", !ca.TLSVerifyNames},
		} {
			if s.set {
				fail(s.key, text, "cassandra.tls")
			}
		}
		return
	}
	switch {
	case ca.TLSCertificate != "" && ca.TLSKey == "":
		fail("cassandra.tls_certificate", "needs its private key: set cassandra.tls_key", "cassandra.tls_key")
	case ca.TLSKey != "" && ca.TLSCertificate == "":
		fail("cassandra.tls_key", "needs its certificate: set cassandra.tls_certificate", "cassandra.tls_certificate")
	}
	if !ca.TLSVerifyNames && ca.TLSCA == "" {
		fail("cassandra.tls_verify_names", "false needs an authority of your own: set cassandra.tls_ca; with those of the system anybody's certificate would do", "cassandra.tls_ca")
	}
}

// checkForeign refuses settings that say something to an engine which is not in use. Those
// that stand at their default, as in the reference, say nothing.
func (c *Config) checkForeign(fail func(key, text string, depends ...string)) {
	owner := map[string]string{"store.cache_size": EngineEmbedded, "store.reserve": EngineEmbedded}
	for _, s := range cassandraSettings(&Cassandra{}) {
		owner[s.key] = EngineCassandra
	}
	standard := Default()
	defaults := byKey(&standard)
	for _, s := range settings(c) {
		engine, special := owner[s.key]
		if special && engine != c.Store.Engine && c.origins[s.key] != "" && s.value.literal() != defaults[s.key].value.literal() {
			fail(s.key, fmt.Sprintf("is for the storage engine %q, but store.engine is %q: change one of them", engine, c.Store.Engine), "store.engine")
		}
	}
}
