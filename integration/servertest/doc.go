// Package servertest helps the tests of the whole server: it builds the binary once per run, with
// the race detector if the tests have it, starts servers on ports that the system picks, and runs
// helper programs to their ends. The log of a server is shown when its test fails. Only tests use
// it.
package servertest
