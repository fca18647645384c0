// Package webhook keeps events in a queue of the store, and sends them to other programs by HTTP. app passes the
// events of all other packages to an Outbox; a Sender reads the queue; admin lists and replays it.
//
// # Queue
//
// Each process writes to a lane of its own, whose rows have rising times. A lane has four parts; the mailbox of
// an event decides. A row stands in the journal store.JournalQueue under the key "LANE PART HOUR". Marks of package
// store hold the positions:
//
//	list                            name         position
//	head DATACENTER                 LANE PART    no row of the lane is later
//	sent DATACENTER WEBHOOK EPOCH   LANE PART    the last row that the webhook has taken
//	epoch DATACENTER WEBHOOK        epoch        the number of the present epoch
//
// A replay begins a new epoch with positions of its own; so the positions of an epoch move forward alone. A lane
// without a position, of a process that began later, is sent from its first row. The servers of a datacenter send
// the events of this datacenter; store.WorkShare divides webhooks and parts among them.
//
// # Invariants
//
//   - No delivery, login, retrieval or removal waits for the queue or for a webhook. Events without room are
//     dropped and counted (popelago_webhook_dropped_total).
//   - An event in the queue is sent until the webhook answers 2xx, for Config.Keep: at least once. A failed
//     write and a change of the sender may repeat events, with the same id.
//   - A row that is damaged in the store is counted, logged and passed over. All other failures hold back the events behind.
//   - The events of a maildrop are sent in their order: of one server always, of several servers of a datacenter as far
//     as their clocks agree. The next events wait until the webhook has taken the events before.
//   - No position depends on clocks of several servers: a row that arrives late is sent late.
package webhook
