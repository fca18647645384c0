// Package integration holds the tests of the whole server: the real binary, run as users run
// it, with real mail programs at its doors, killed, filled up and stopped. It has no code of
// its own.
//
// The binary is built once per run, with the race detector if the tests have it. Each test
// starts servers of its own on ports that the system picks; what a server logged is shown
// when its test fails. A mail program that is not installed skips its tests, and fails them
// where CI=true.
//
// Mail programs, and the transcripts of pop3server and smtpserver, meet every storage engine;
// for the Cassandra engine the tests start one real node, and share it. What two datacenters owe
// each other is tested with two more nodes, and a line between them that can be cut; TestChaos
// with TEST_CHAOS=1 with six.
package integration
