// Package integration holds the tests of the whole server: the real binary, run as users run
// it, killed, filled up and stopped. It has no code of its own; its folders hold
//
//	servertest   what the tests need: servers, accounts, helper programs
//	clients      tests with real mail programs at the server's doors
//	datacenters  tests of servers whose nodes are killed, paused and cut off
//	nodes        tests of the Cassandra engine on such nodes
//
// The binary is built once per package, with the race detector if the tests have it. Each test
// starts servers of its own on ports that the system picks; what a server logged is shown
// when its test fails.
//
// The transcripts of pop3server and smtpserver, and the mail programs, meet every storage engine.
package integration
