package cassandratest

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// DefaultVersion is the version of Cassandra without another choice.
const DefaultVersion = "5.0.9"

// Options describe a cluster. The zero value is one node in datacenter dc1.
type Options struct {
	// Datacenters, in the order of their numbers. Default: dc1 with one node.
	Datacenters []Datacenter
	// Version of Cassandra, as Maven names it. Default: the value of the environment variable
	// TEST_CASSANDRA, or else DefaultVersion.
	Version string
	// Heap of each node as Java names it. Default: 512M.
	Heap string
	// Network is K in 127.K.N.M, from 1 to 254, or to 155 with Link. Zero takes a free one.
	Network int
	// Dir is the folder of the cluster; it is made, and must be empty or missing. New has no
	// default; Start and Lazy use a temporary folder, Lazy the folder of KeepVariable if set.
	Dir string
	// Settings go into cassandra.yaml, as YAML, over the package's settings; empty values remove a
	// setting. Nodes sync every write to disk before they acknowledge it (commitlog_sync "batch"),
	// so that killing them loses nothing. Cassandra's own default is "periodic", with
	// commitlog_sync_period "10000ms".
	Settings map[string]string
	// Link puts every datacenter behind a line that Cut and Heal break and restore. Nodes then have
	// the addresses 10.(100+K).N.M. Needs root and the program ip.
	Link bool
	// Detached nodes outlive this process. Lazy detaches them if it keeps the cluster. They have a
	// port for nodetool: see Node.Nodetool.
	Detached bool
	// Nodetool gives nodes a port for nodetool, detached or not.
	Nodetool bool
	// Brief is for nodes that live for minutes: Java spends no time on optimizing code for later, and the nodes start a third
	// faster; an idle node reads the clock less often, and its timers may be half a millisecond late. Start and Lazy set it, unless benchmarks run.
	Brief bool
	// Patient is for nodes that always have an answer in the end: a busy machine is no fault. They work on a statement
	// for a minute, far longer than by default.
	Patient bool
	// Unkilled is for nodes that no test kills: a change of the schema stays in memory and in the commit log, and costs half. A
	// killed node would lose its tables. Lazy sets it with Share.
	Unkilled bool
	// RingDelay is the time in which all nodes hear of a change of the ring. Default: a second; Cassandra's own
	// default is 30 seconds. With a second a node may miss that a node replaced another one at another address,
	// and keep the lost node in system.peers.
	RingDelay time.Duration
	// Log, if not nil, is called with a line for each step of the start.
	Log func(line string)
}

// Datacenter is a name and a count of nodes.
type Datacenter struct {
	Name  string
	Nodes int
}

// ParseDatacenters reads NAME:NODES[,NAME:NODES...].
func ParseDatacenters(s string) ([]Datacenter, error) {
	var list []Datacenter
	for item := range strings.SplitSeq(s, ",") {
		name, count, ok := strings.Cut(item, ":")
		n, err := strconv.Atoi(count)
		if !ok || name == "" || strings.ContainsAny(name, "-/\\ ") || err != nil || n < 1 || n > 254 {
			return nil, fmt.Errorf("datacenters %q: want NAME:NODES[,NAME:NODES...], no - in a name", s)
		}
		list = append(list, Datacenter{Name: name, Nodes: n})
	}
	return list, nil
}

func (o Options) withDefaults() Options {
	if len(o.Datacenters) == 0 {
		o.Datacenters = []Datacenter{{Name: "dc1", Nodes: 1}}
	}
	if o.Version == "" {
		o.Version = os.Getenv("TEST_CASSANDRA")
	}
	if o.Version == "" {
		o.Version = DefaultVersion
	}
	if o.Heap == "" {
		o.Heap = "512M"
	}
	if o.RingDelay == 0 {
		o.RingDelay = time.Second
	}
	if o.Log == nil {
		o.Log = func(string) {}
	}
	return o
}
