// Package simulation runs several servers on a simulated cluster, in virtual time, and compares what their
// clients see with the promises of the product.
//
//	World    a cluster (package cluster), servers, clients and faults, all drawn from one seed
//	server   the real engine, directory, delivery, ledger, maildrop and jobs, without the protocols
//	sender   a mail transfer agent: sends, and repeats what was not answered
//	fetcher  a mail program: lists, retrieves, compares and removes
//	admin    makes and removes accounts
//	model    what was acknowledged, and the promises that follow
//	story    everything that happened, in order, for a report and for comparing two runs
//
// A run is inside a bubble of testing/synctest: a month takes as long as its work, and every pause is virtual.
// docs/simulation.md says what is simulated, and how to repeat a failure.
package simulation
