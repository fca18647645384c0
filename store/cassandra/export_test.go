package cassandra

import gocql "github.com/apache/cassandra-gocql-driver/v2"

// DialedBy makes connections to the nodes by d.
func (c Config) DialedBy(d gocql.Dialer) Config {
	c.dialer = d
	return c
}
