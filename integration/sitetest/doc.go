// Package sitetest helps the tests of whole servers in two datacenters: a Cluster prepares the
// storage on a Cassandra cluster and starts servers in its datacenters, Sites acts on a server in
// each, and expects the view of the users there. Only tests use the package.
//
// A test has the cluster for itself: the tests of a package use one keyspace, one after the other.
// Waits end after Limit, which only tests that hang reach.
package sitetest
