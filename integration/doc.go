// Package integration holds the tests of the whole server: the real binary, run as users run it,
// killed, filled up and stopped. It has no code of its own; its folders hold
//
//	servertest   helpers: servers, accounts, helper programs
//	attack       tests of a server under attack
//	clients      tests with real mail programs
//	datacenters  tests of servers whose nodes are killed, paused and cut off
//	nodes        tests of the Cassandra engine on such nodes
//
// The binary is built once per package, with the race detector if the tests have it. Each test
// starts its own servers on ports that the system picks; the log of a server is shown when its test
// fails.
//
// The transcripts of pop3server and smtpserver, and the mail programs, meet every storage engine.
package integration
