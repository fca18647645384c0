package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"popelago/mail"
	"popelago/store/cassandra"
)

// Cassandra is the section [cassandra], in force if Store.Engine is EngineCassandra.
type Cassandra struct {
	cassandra.Config

	PasswordFile  string
	Durability    string // a mail.Durability: "local" or "each"
	OnUnreachable string // unreachableRefuse or unreachableLocal

	TLS            bool
	TLSCA          string // PEM file; empty: the authorities of the system
	TLSCertificate string // PEM file; empty: none
	TLSKey         string
	TLSVerifyNames bool
}

// The values of OnUnreachable.
const (
	unreachableRefuse = "refuse"
	unreachableLocal  = "local"
)

// The storage engines.
const (
	EngineEmbedded  = "embedded"
	EngineCassandra = "cassandra"
)

func defaultCassandra() Cassandra {
	return Cassandra{
		Config:         cassandra.DefaultConfig(),
		Durability:     string(mail.DurabilityLocal),
		OnUnreachable:  unreachableRefuse,
		TLSVerifyNames: true,
	}
}

// DefaultDurability returns the durability of domains without a durability of their own.
func (c Cassandra) DefaultDurability() mail.Durability {
	switch {
	case c.Durability != string(mail.DurabilityEach):
		return mail.DurabilityLocal
	case c.OnUnreachable == unreachableLocal:
		return mail.DurabilityEachOrLocal
	}
	return mail.DurabilityEach
}

// SpoolDir returns the folder for large messages until they have arrived whole, for the Cassandra
// engine.
func (c Config) SpoolDir() string {
	if c.Cassandra.SpoolDir != "" {
		return c.Cassandra.SpoolDir
	}
	return filepath.Join(c.DataDir, "spool")
}

// cassandraSettings returns the part of the table about the cluster.
func cassandraSettings(c *Cassandra) []setting {
	return []setting{
		{"cassandra.hosts", nodes(&c.Hosts),
			"Nodes of this datacenter for the first connection, as host or host:port (usual port 9042). Two or three are enough: the server discovers the others. With failover, nodes of other datacenters may be listed, too; a server needs them only if its very first start falls into an outage of this datacenter."},
		{"cassandra.datacenter", text(&c.Datacenter, "the name of a datacenter such as \"dc1\"", checkDatacenter),
			"Datacenter of this server, by its name in Cassandra (nodetool status). A 250 means that a quorum of its replicas has the message, and sessions read from a quorum of its replicas."},
		{"cassandra.rack", text(&c.Rack, "the name of a rack such as \"rack1\"", checkDatacenter),
			"Rack of this server, by its name in Cassandra: its nodes are asked first. Empty: no rack is preferred."},
		{"cassandra.keyspace", keyspace(&c.Keyspace),
			"Keyspace for all data."},
		{"cassandra.replication", replicas(&c.Replication),
			"Replicas in each datacenter; use 3. \"popelago schema apply\" makes the keyspace with this replication, and leaves the replication of an existing keyspace unchanged. In the environment: dc1=3,dc2=3."},
		{"cassandra.username", text(&c.Username, "a user name such as \"popelago\"", func(string) error { return nil }),
			"User for signing in to the cluster. Empty: no sign-in."},
		{"cassandra.password_file", path(&c.PasswordFile, optional),
			"File with the password of cassandra.username, on one line."},

		{"cassandra.durability", oneOf(&c.Durability, string(mail.DurabilityLocal), string(mail.DurabilityEach)),
			"Replicas that must have a message, a removal or a change of an account before the acknowledgement, in domains without a durability of their own: \"local\" is a quorum of this datacenter, \"each\" a quorum of every datacenter. The loss of a whole datacenter loses with \"local\" the writes not yet in another datacenter (normally of milliseconds), with \"each\" no write."},
		{"cassandra.on_unreachable", oneOf(&c.OnUnreachable, unreachableRefuse, unreachableLocal),
			"Answer with durability = \"each\" while a datacenter is unreachable: \"refuse\" answers 451, \"local\" stores in this datacenter only, and says so in the reply, the log and a metric."},
		{"cassandra.failover", &list{p: &c.Failover, what: "the name of a datacenter such as \"dc2\"", check: checkDatacenter},
			"Datacenters to use while no node of this datacenter is reachable, the first choice first, and the next one if the datacenter in use has no quorum. Empty: none, and mail is deferred (451) in the meantime. The server returns by itself; until the local nodes have their missed writes, the server reads from all datacenters. Before a failover the server writes a note into spool_dir; without the note there is no failover."},
		{"cassandra.failover_after", duration(&c.FailoverAfter, time.Second, time.Hour),
			"Time without a reachable node here before the server fails over. The nodes must be back for three times as long before the server returns."},

		{"cassandra.tls", boolean(&c.TLS),
			"Encrypts the connections to the nodes. Without TLS, mail and the password of the user cross the network in clear text."},
		{"cassandra.tls_ca", path(&c.TLSCA, optional),
			"PEM file with the authorities that may sign the certificates of the nodes. Empty: the authorities of the system."},
		{"cassandra.tls_certificate", path(&c.TLSCertificate, optional),
			"PEM file with the certificate that the server presents to the nodes, and its chain. The file is read for every connection. Empty: no certificate."},
		{"cassandra.tls_key", path(&c.TLSKey, optional),
			"PEM file with the private key of tls_certificate."},
		{"cassandra.tls_verify_names", boolean(&c.TLSVerifyNames),
			"Requires that the certificate of a node names the node's IP address. false accepts every certificate from tls_ca, for nodes whose certificates name no addresses."},

		{"cassandra.timeout", duration(&c.Timeout, 100*time.Millisecond, 5*time.Minute),
			"Time limit for the answer of a node. Use a longer time than the nodes' write_request_timeout and read_request_timeout."},
		{"cassandra.connect_timeout", duration(&c.ConnectTimeout, 100*time.Millisecond, 5*time.Minute),
			"Time limit for a connection to a node."},
		{"cassandra.retries", integer(&c.Retries, 0, 10).zeroIsOff(),
			"Further nodes that are tried after a node failed."},
		{"cassandra.connections", integer(&c.Connections, 1, 64),
			"Connections to each node."},
		{"cassandra.concurrency", integer(&c.Concurrency, 1, 100_000),
			"Most statements in flight at one time. While the cluster is overloaded the server lowers the number, down to 16, and then raises it again. Background work that asks every replica gets a quarter."},
		{"cassandra.queue_time", duration(&c.QueueTime, time.Millisecond, time.Minute),
			"Time that a statement waits for its turn when concurrency is reached. Then the client gets 451 or [SYS/TEMP], earlier than by a time-out. If four times as many statements wait already, the client gets the answer at once."},
		{"cassandra.speculative_delay", duration(&c.SpeculativeDelay, 0, time.Minute).zeroIsOff(),
			"Time after which a read asks a second node of the datacenter; the first answer counts. Use a longer time than nearly all reads take. Writes are not sent twice. 0s: never."},

		{"cassandra.window", duration(&c.Window, time.Second, 30*day).because("deliveries in flight must be left alone"),
			"In-flight window: background work leaves younger messages and removals alone, because their writes may still be in flight. The window must be the same on all servers of the cluster; while it differs, background work waits. A delivery may take 5 minutes, or a third of a window below 15 minutes, and clocks may differ by 5 minutes: use less than 15m for tests only."},
		{"cassandra.floor_every", integer(&c.FloorEvery, 1, maxCount),
			"Removals from one mailbox after which background work tries to raise the floor of the mailbox, so that logins skip the removed messages. A removed message counts once it is older than window."},
		{"cassandra.bulk_after", integer(&c.BulkAfter, 0, maxCount).zeroIsOff(),
			"Messages in a mailbox, or removals behind a message that stays, after which background work makes the mailbox bulk: the messages of each day get a segment of their own (\"popelago account bulk\" does so by hand). A bulk mailbox stays bulk. 0: never."},
		{"cassandra.heartbeat", duration(&c.Heartbeat, 100*time.Millisecond, 5*time.Minute),
			"Pause between two heartbeats. With a heartbeat the server reports to the other servers of its datacenter, and compares its clock with the clocks of servers and nodes. Six heartbeats after a server was killed the other servers take over its share of background work. A clock wrong by more than 5 minutes stops deliveries (451), maildrops with a retention ([SYS/TEMP]) and background work until the clock is right."},
		{"cassandra.down_reminder", duration(&c.DownReminder, time.Second, day),
			"Pause between two log lines about nodes that still do not answer. The log reports at once when nodes go down and when they are back."},
		{"cassandra.clock_every", duration(&c.ClockEvery, 50*time.Millisecond, time.Minute),
			"Pause between two comparisons of the clock with a node of the datacenter: a machine whose clock stood still during a suspension may accept mail for one pause before the server notices. Without a comparison in ten pauses the server makes no message id."},
		{"cassandra.written_off", &list{p: &c.WrittenOff, what: "the name of a datacenter such as \"dc2\"", check: checkDatacenter},
			"Datacenters that will never come back: the servers of this datacenter reclaim the space of their removals. First take each out of the keyspace (ALTER KEYSPACE ... WITH replication = ...) and out of the cluster (nodetool removenode); otherwise background work that removes data waits permanently. Set written_off in one datacenter only."},
		{"cassandra.spool_dir", path(&c.SpoolDir, optional),
			"Folder for messages larger than 256 KiB until they have arrived whole; while incoming messages fill 64 MiB of memory, for messages larger than 8 KiB. With failover the folder also holds the known nodes and the note that reads must be confirmed, so it must outlive the server. The server makes the folder if necessary. Empty: spool in data_dir."},
	}
}

// keyspace is a setting with a name that CQL accepts without quotes.
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

// checkEngine checks the settings that the chosen engine needs, and settings of the unused engine. For
// fail see check.
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
		fail("cassandra.failover", fmt.Sprintf("names %q, which is cassandra.datacenter: a failover needs another datacenter", ca.Datacenter), "cassandra.datacenter")
	}
	if slices.Contains(ca.WrittenOff, ca.Datacenter) && ca.Datacenter != "" {
		fail("cassandra.written_off", fmt.Sprintf("names %q, which is cassandra.datacenter: a server cannot write off its own datacenter", ca.Datacenter), "cassandra.datacenter")
	}
	for _, name := range ca.WrittenOff {
		if _, ok := ca.Replication[name]; ok && name != ca.Datacenter {
			fail("cassandra.written_off", fmt.Sprintf("names %q, which has replicas in cassandra.replication: take the datacenter out there, and out of the keyspace", name), "cassandra.replication")
		}
	}
	if _, ok := ca.Replication[ca.Datacenter]; !ok && len(ca.Replication) > 0 && ca.Datacenter != "" {
		fail("cassandra.replication", fmt.Sprintf("has no replica in %q, which is cassandra.datacenter: add the datacenter, or correct one of the names", ca.Datacenter), "cassandra.datacenter")
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
		fail("cassandra.tls_verify_names", "false needs an authority of your own: set cassandra.tls_ca; with the authorities of the system any certificate would do", "cassandra.tls_ca")
	}
}

// checkForeign refuses settings of the unused engine, unless they have their defaults, as in the
// reference.
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
