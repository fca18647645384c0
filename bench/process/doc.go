// Package process runs the servers under test, and the load generator, as separate processes.
// The commands beside it use it.
package process
