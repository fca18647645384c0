package cassandratest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// KeepVariable is the environment variable that names the folder, by its absolute path, in which
// Lazy keeps clusters running from one run of the tests to the next. Each has a subfolder:
//
//	DIR/ac70f3b2       a cluster, named by a hash of its options
//	DIR/ac70f3b2-2     another, for a second user of the same options at the same time
//	DIR/ac70f3b2.lock  locked by the processes that use the cluster: see takeFolder
//	DIR/ac70f3b2.setup locked by the process that takes the cluster, or starts it
const KeepVariable = "TEST_CASSANDRA_KEEP"

// ShareVariable is like KeepVariable, for clusters with Lazy.Share alone.
const ShareVariable = "TEST_CASSANDRA_SHARE"

// keep returns the cluster that an earlier run left in a subfolder of dir, with all its nodes
// running, or starts a cluster there. No conflicting process gets the cluster before unlock or the
// end of this process.
func (l *Lazy) keep(ctx context.Context, dir string) (c *Cluster, unlock func(), err error) {
	if !filepath.IsAbs(dir) {
		return nil, nil, fmt.Errorf("cassandratest: folder %s of %s or %s: want an absolute path", dir, KeepVariable, ShareVariable)
	}
	o := l.options().withDefaults()
	o.Detached = true
	f, err := takeFolder(dir, o.hash(), l.Share != "")
	if err != nil {
		return nil, nil, err
	}
	defer func() {
		if err == nil {
			err = f.ready()
		}
		if err != nil {
			f.leave()
		}
	}()
	o.Dir = f.path
	if c, err = revive(ctx, o.Dir, f.alone); err == nil {
		err = c.drop(ctx, l.leftover)
	}
	if err == nil || !f.alone {
		return c, f.leave, err
	}
	if c != nil {
		c.Stop()
	}
	if err = os.RemoveAll(o.Dir); err != nil {
		return nil, nil, err
	}
	c, err = New(ctx, o)
	return c, f.leave, err
}

// leftover reports whether a keyspace of an earlier run must be dropped: any keyspace, or with
// Lazy.Share any keyspace of these tests.
func (l *Lazy) leftover(keyspace string) bool {
	own := l.Share == "" || keyspace == l.Share || strings.HasPrefix(keyspace, l.Share+"_")
	return own && !slices.Contains(l.Keyspaces, keyspace)
}

// hash is short, and the same for options that describe the same cluster.
func (o Options) hash() string {
	n := &Node{}
	settings := n.settings("", 1)
	maps.Copy(settings, o.overrides())
	text, err := json.Marshal([]any{o.Datacenters, o.Version, o.Network, o.Link, settings, n.arguments("", o, 0)})
	if err != nil {
		panic(err) // texts, numbers and lists of them
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:8]
}

// revive loads a cluster and brings all its nodes back. Missing nodes are started again. For a
// process that has the cluster alone, the lines between datacenters are restored, paused nodes
// resumed, and hanging nodes started again. After an error such a process must stop the cluster,
// unless the cluster is nil.
func revive(ctx context.Context, dir string, alone bool) (*Cluster, error) {
	c, err := Load(dir)
	if err != nil {
		return nil, err
	}
	if !alone {
		c.release = func() {} // its nodes hold the network by listening
		return c, c.startMissing(ctx)
	}
	// Not takeNetwork, which leaves networks alone where a node listens: ours does.
	if c.release, err = lockNetwork(c.Network); err != nil {
		return c, err
	}
	if c.link != nil {
		c.link.healAll()
	}
	for _, n := range c.Nodes {
		if n.Running() && n.Resume() == nil {
			const patience = 20 * time.Second
			short, cancel := context.WithTimeout(ctx, patience)
			err := n.WaitAnswers(short)
			cancel()
			if err == nil {
				continue
			}
		}
		n.Kill()
		if err := n.Start(ctx); err != nil {
			return c, err
		}
	}
	return c, c.WaitSeen(ctx)
}

// startMissing starts the missing nodes, and waits for the slow ones.
func (c *Cluster) startMissing(ctx context.Context) error {
	for _, n := range c.Nodes {
		if !n.Running() {
			if err := n.Start(ctx); err != nil {
				return err
			}
		}
		if err := n.WaitAnswers(ctx); err != nil {
			return err
		}
	}
	return nil
}

// drop drops the leftover keyspaces; Cassandra's own stay.
func (c *Cluster) drop(ctx context.Context, leftover func(keyspace string) bool) error {
	s, err := c.Nodes[0].Session(sessionLimit)
	if err != nil {
		return err
	}
	defer s.Close()
	rows := s.Query("SELECT keyspace_name FROM system_schema.keyspaces").Consistency(gocql.One).IterContext(ctx)
	var drop []string
	var name string
	for rows.Scan(&name) {
		if name != "system" && !strings.HasPrefix(name, "system_") && leftover(name) {
			drop = append(drop, name)
		}
	}
	if err := rows.Close(); err != nil {
		return err
	}
	for _, name := range drop {
		if err := s.Query(fmt.Sprintf("DROP KEYSPACE %q", name)).ExecContext(ctx); err != nil {
			return err
		}
	}
	return nil
}
