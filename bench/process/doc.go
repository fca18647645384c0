// Package process runs the servers under test, and the load generator, as separate processes.
// comparedovecot and comparecassandra use it.
package process
