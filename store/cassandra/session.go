package cassandra

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	"popelago/store/cassandra/driver"
)

// connect opens a session to nodes of the local datacenter only.
func (c Config) connect(ctx context.Context, observe func(Statement)) (driver.Session, error) {
	session, err := c.cluster().Open(ctx, driver.Options{
		Hosts: c.Hosts, Datacenter: c.Datacenter, Rack: c.Rack, Keyspace: c.Keyspace, Observe: observe,
	})
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoContact, err)
	}
	if c.nodes != nil {
		c.nodes.join(session, c.Datacenter)
	}
	return session, nil
}

// cluster returns the cluster to open sessions of.
func (c Config) cluster() driver.Cluster {
	if c.Cluster != nil {
		return c.Cluster
	}
	return goDriver{c}
}

// connectAny opens a session to one node, the first contact point that can be signed in to. The schema
// and Doctor use it: the system tables of different nodes differ.
func (c Config) connectAny(ctx context.Context) (driver.Session, error) {
	hosts := c.Hosts
	if c.Cluster == nil {
		var err error
		if hosts, err = resolve(ctx, c.Hosts); err != nil {
			return nil, err
		}
	}
	var failed contactErrors
	for _, host := range hosts {
		session, err := c.cluster().Open(ctx, driver.Options{Hosts: []string{host}})
		if err == nil {
			return session, nil
		}
		failed = append(failed, err)
		if ctx.Err() != nil {
			break
		}
	}
	return nil, fmt.Errorf("%w: %w", ErrNoContact, failed)
}

// closeLimit is the time that the driver has to close a session.
const closeLimit = 10 * time.Second

// endSession closes a session; nil is allowed. After closeLimit endSession returns while the driver is
// still closing the session. The driver's Close never returns while the control connection is being made
// again: that waits for a refresh of the schema, which Close has stopped.
func endSession(session driver.Session) {
	if session == nil {
		return
	}
	closed := make(chan struct{})
	go func() {
		defer close(closed)
		session.Close()
	}()
	select {
	case <-closed:
	case <-time.After(closeLimit):
	}
}

// contactsOf returns the contact points for a session that lasts, in their order. A name stays a name: if the driver reaches
// no node any more, it looks the names up again, and finds nodes that have come back under new addresses. An address that a
// name leads to is left out.
func contactsOf(ctx context.Context, hosts []string) ([]string, error) {
	named, found := map[string]bool{}, make([][]string, len(hosts))
	var failed error
	var unknown []string
	for i, host := range hosts {
		var err error
		if found[i], err = lookUp(ctx, host); err != nil {
			failed = errors.Join(failed, err)
			unknown = append(unknown, host)
		}
		for _, address := range found[i] {
			named[address] = named[address] || isName(host)
		}
	}
	var list []string
	listed := map[string]bool{}
	for i, host := range hosts {
		further := slices.DeleteFunc(found[i], func(address string) bool {
			return listed[address] || named[address] && !isName(host)
		})
		for _, address := range further {
			listed[address] = true
		}
		if len(further) > 0 && isName(host) {
			further = []string{host}
		}
		list = append(list, further...)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoContact, failed)
	}
	return append(list, unknown...), nil // the driver may know them later
}

// resolve returns all addresses of contact points, each once.
func resolve(ctx context.Context, hosts []string) ([]string, error) {
	var list []string
	var failed error
	for _, host := range hosts {
		found, err := lookUp(ctx, host)
		failed = errors.Join(failed, err)
		for _, address := range found {
			if !slices.Contains(list, address) {
				list = append(list, address)
			}
		}
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoContact, failed)
	}
	return list, nil
}

// lookUp returns the addresses of a contact point, with its port.
func lookUp(ctx context.Context, host string) ([]string, error) {
	name, port := splitContact(host)
	addresses, err := net.DefaultResolver.LookupHost(ctx, name)
	if port != "" {
		for i := range addresses {
			addresses[i] = net.JoinHostPort(addresses[i], port)
		}
	}
	return addresses, err
}

// splitContact splits a contact point in name or address, and port; no port: empty.
func splitContact(host string) (name, port string) {
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		return strings.Trim(host, "[]"), ""
	}
	return name, port
}

// isName reports whether a contact point is a name, and no IP address.
func isName(host string) bool {
	name, _ := splitContact(host)
	return net.ParseIP(name) == nil
}
