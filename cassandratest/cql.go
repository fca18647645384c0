package cassandratest

import (
	"context"
	"fmt"
	"io"
	"net"
	"time"

	gocql "github.com/apache/cassandra-gocql-driver/v2"
)

// cqlPort is the port of the nodes for clients.
const cqlPort = "9042"

// listening reports whether a program accepts client connections at an address.
func listening(address string) bool {
	conn, err := net.DialTimeout("tcp", net.JoinHostPort(address, cqlPort), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

// answers asks a node for the options of its native protocol and returns nil if the node answers. A
// paused node accepts the connection, but does not answer.
func answers(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", net.JoinHostPort(address, cqlPort))
	if err != nil {
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	// Native protocol v4, section 2: version, flags, stream (2), opcode, length (4).
	const opOptions, opSupported = 0x05, 0x06
	if _, err := conn.Write([]byte{0x04, 0, 0, 0, opOptions, 0, 0, 0, 0}); err != nil {
		return err
	}
	var header [9]byte
	if _, err := io.ReadFull(conn, header[:]); err != nil {
		return err
	}
	if header[4] != opSupported {
		return fmt.Errorf("answered with opcode %#x", header[4])
	}
	return nil
}

// firstUser is the first user of a cluster, for clusters that ask for a user.
var firstUser = gocql.PasswordAuthenticator{Username: "cassandra", Password: "cassandra"}

// sessionLimit bounds a node's answer to our own statements.
const sessionLimit = time.Minute

// Session returns a connection to this node alone, as the first user of the cluster. limit bounds
// the connection, and each answer. The caller closes the session.
func (n *Node) Session(limit time.Duration) (*gocql.Session, error) {
	d := gocql.NewCluster(n.Address)
	d.HostFilter = gocql.WhiteListHostFilter(n.Address)
	d.Timeout, d.ConnectTimeout = limit, limit
	d.NumConns = 1
	d.Metadata.CacheMode = gocql.Disabled
	d.Authenticator = firstUser
	return d.CreateSession()
}

// peers returns the number of peers that a node names to its clients.
func (n *Node) peers(ctx context.Context) (int, error) {
	s, err := n.Session(sessionLimit)
	if err != nil {
		return 0, err
	}
	defer s.Close()
	known := 0
	peers, err := peersOf(ctx, s)
	for _, p := range peers {
		if p.datacenter != "" {
			known++
		}
	}
	return known, err
}

// peer is a row of system.peers.
type peer struct {
	datacenter string
	tokens     []string
}

// peersOf returns the peers that the node of a session knows, by address.
func peersOf(ctx context.Context, s *gocql.Session) (map[string]peer, error) {
	rows := s.Query("SELECT peer, data_center, tokens FROM system.peers").Consistency(gocql.One).IterContext(ctx)
	peers := map[string]peer{}
	var address string
	var p peer
	for rows.Scan(&address, &p.datacenter, &p.tokens) {
		peers[address] = p
		p = peer{}
	}
	return peers, rows.Close()
}
