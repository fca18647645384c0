package process

import (
	_ "embed"
	"fmt"
	"time"

	"popelago/freeport"
)

// cassandraConf is the configuration of a server on a Cassandra cluster, a text/template for cassandraValues.
//
//go:embed cassandra.toml
var cassandraConf string

// OnCassandra describes a Popelago on a Cassandra cluster.
type OnCassandra struct {
	Datacenter  string
	Hosts       []string // nodes of the datacenter
	Replication string   // such as "dc1 = 3,dc2 = 3"
	Compression string
	Window      time.Duration // in-flight window
}

// cassandraValues fills in cassandraConf.
type cassandraValues struct {
	OnCassandra
	Dir        string
	LMTP, POP3 int // ports
}

// Configure writes the configuration of a server with a name and a data folder, on free ports.
func (o OnCassandra) Configure(name, data string) (s *Server, config string, err error) {
	ports, err := freeport.Take(2)
	if err != nil {
		return nil, "", err
	}
	values := cassandraValues{OnCassandra: o, Dir: data, LMTP: ports[0], POP3: ports[1]}
	config = data + ".toml"
	return &Server{
		Name: name,
		LMTP: fmt.Sprintf("127.0.0.1:%d", values.LMTP),
		POP3: fmt.Sprintf("127.0.0.1:%d", values.POP3),
		Log:  data + ".log",
	}, config, WriteTemplate(config, cassandraConf, values)
}
