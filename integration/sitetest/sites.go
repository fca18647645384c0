package sitetest

import (
	"errors"
	"testing"

	"popelago/cassandratest"
	"popelago/integration/servertest"
	"popelago/mailtest"
)

// Sites are two datacenters with a server each, for actions on both sides before the news arrives.
// The methods that name a server accept further servers of the cluster, too.
type Sites struct {
	*Cluster
	One, Two *servertest.Server // in dc1, dc2
}

// NewSites starts a server in each datacenter of an empty storage, with further settings, and waits
// until both host the domain of the tests.
func NewSites(t testing.TB, c *cassandratest.Cluster, settings ...string) *Sites {
	t.Helper()
	s := &Sites{Cluster: NewCluster(t, c)}
	s.One, s.Two = s.Start(t, "dc1", settings...), s.Start(t, "dc2", settings...)
	Host(t, s.One)
	mailtest.WaitFor(t, Limit, func() error { // before the first question for an address of the domain
		admin := s.Two.Admin()
		defer admin.Close()
		domains, err := admin.Domains(servertest.Deadline(t, servertest.StartLimit))
		if err == nil && len(domains) == 0 {
			err = errors.New("dc2 has not heard of the domain")
		}
		return err
	})
	return s
}

// Both returns the servers in dc1 and dc2.
func (s *Sites) Both() []*servertest.Server { return []*servertest.Server{s.One, s.Two} }

// Place names the place of a server in messages of a test.
func (s *Sites) Place(of *servertest.Server) string {
	switch of {
	case s.One:
		return "in dc1"
	case s.Two:
		return "in dc2"
	}
	return "at a further server"
}
