package cassandratest

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// KeepVariable is the environment variable that names the folder, by its absolute path, in
// which Lazy keeps clusters running from one run of the tests to the next. Each has a subfolder:
//
//	DIR/ac70f3b2      a cluster, named by a hash of what it was asked to be
//	DIR/ac70f3b2-2    another, for two that wanted the same at the same time
//	DIR/ac70f3b2.lock locked by the process that uses the cluster
const KeepVariable = "TEST_CASSANDRA_KEEP"

// keep returns the cluster that an earlier run left in a subfolder of dir, with all its nodes
// running, or starts it there. Nobody else gets it before unlock or the end of this process.
func keep(ctx context.Context, dir string, o Options, keyspaces []string) (c *Cluster, unlock func(), err error) {
	if !filepath.IsAbs(dir) {
		return nil, nil, fmt.Errorf("cassandratest: %s=%s: want an absolute path", KeepVariable, dir)
	}
	o = o.withDefaults()
	o.Detached = true
	if o.Dir, unlock, err = takeFolder(dir, o.hash()); err != nil {
		return nil, nil, err
	}
	defer func() {
		if err != nil {
			unlock()
		}
	}()
	if c, err = revive(ctx, o.Dir); err == nil {
		if err = c.dropOthers(ctx, keyspaces); err == nil {
			return c, unlock, nil
		}
	}
	if c != nil {
		c.Stop()
	}
	if err = os.RemoveAll(o.Dir); err != nil {
		return nil, nil, err
	}
	c, err = New(ctx, o)
	return c, unlock, err
}

// hash is short and the same for options that lead to the same cluster.
func (o Options) hash() string {
	n := &Node{}
	settings := n.settings("", 1)
	maps.Copy(settings, o.Settings)
	text, err := json.Marshal([]any{o.Datacenters, o.Version, o.Network, o.Link, settings, n.arguments("", o.Heap)})
	if err != nil {
		panic(err) // texts, numbers and lists of them
	}
	return fmt.Sprintf("%x", sha256.Sum256(text))[:8]
}

// takeFolder locks the first subfolder with this name or name-2, name-3, ... that is free.
func takeFolder(dir, name string) (folder string, unlock func(), err error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", nil, err
	}
	folder = filepath.Join(dir, name)
	for i := 2; ; i++ {
		unlock, err = lockFile(folder+".lock", false)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return folder, unlock, err
		}
		folder = filepath.Join(dir, fmt.Sprintf("%s-%d", name, i))
	}
}

// revive loads a cluster and brings all its nodes back: the lines between datacenters are
// mended, paused nodes go on, and those that are gone or do not answer are started again. With
// an error the cluster, if it is not nil, has to be stopped.
func revive(ctx context.Context, dir string) (*Cluster, error) {
	c, err := Load(dir)
	if err != nil {
		return nil, err
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

// dropOthers drops all keyspaces but Cassandra's own and some more.
func (c *Cluster) dropOthers(ctx context.Context, keyspaces []string) error {
	s, err := c.Nodes[0].Session(sessionLimit)
	if err != nil {
		return err
	}
	defer s.Close()
	rows := s.Query("SELECT keyspace_name FROM system_schema.keyspaces").Consistency(gocql.One).IterContext(ctx)
	var drop []string
	var name string
	for rows.Scan(&name) {
		if name != "system" && !strings.HasPrefix(name, "system_") && !slices.Contains(keyspaces, name) {
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
