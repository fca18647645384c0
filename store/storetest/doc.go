// Package storetest is the conformance suite of store.Store and a wrapper that injects faults.
//
// Run checks every promise of package store on one engine. A new promise gets a case here
// first. The suite assumes nothing beyond the contract: not how an engine orders local-parts,
// nor that Sweep removes everything at its first chance (see Suite.SweepLimit).
//
// Faulty fails one operation of a store, chosen by its number, before or after it was done.
// EachFault runs a scenario again and again, failing operation 0, 1, 2 and so on, until a run
// meets no fault:
//
//	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
//		engine := open(t)
//		faulty := wrap(engine)
//		err := deliver(faulty) // meets the fault, once
//		// Whatever happened: look through engine, which has no faults, and check that
//		// what was acknowledged is there, and nothing is there by half.
//	})
//
// Safe for concurrent use; with concurrent callers which call is number k is left to chance.
package storetest
