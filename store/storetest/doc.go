// Package storetest contains the conformance suite of store.Engine and wrappers that inject faults.
//
// Suite checks every promise of package store, role by role, on one engine. A new promise gets a
// case here first. The suite assumes nothing beyond the contract: neither the order of local-parts,
// nor that Sweep removes all content at its first chance (see Suite.SweepLimit).
//
// Faulty makes one operation of a store fail, chosen by its number, before or after the operation.
// EachFault runs a scenario again and again, with a failure of operation 0, 1, 2 and so on, until a
// run meets no failure:
//
//	storetest.EachFault(t, func(t *testing.T, wrap func(store.Store) store.Store) {
//		engine := open(t)
//		faulty := wrap(store.Single(engine))
//		err := deliver(faulty) // meets the failure, once
//		// Read engine, which has no failures: all acknowledged data is complete, and no
//		// data is incomplete.
//	})
//
// A fake embeds the role that the fake changes; WithMail, WithDirectory and WithUpkeep put the fake
// into a store.
//
// Safe for concurrent use. With concurrent callers the number of a call depends on chance.
package storetest
