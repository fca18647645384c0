// Package servertest helps the tests of the whole server: it builds the binary once per run, with
// the race detector if the tests have it, starts servers of it on ports that the system picks, and
// runs helper programs to their ends. What a server logged is shown when its test fails. Only
// tests use it.
package servertest
