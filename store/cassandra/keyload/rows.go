package keyload

// Octets of a row in a data file before compression. Measured on a node of 5.0.6, with addresses of 18 octets, by
// filling the tables and dividing the size of the data file by its ratio of compression and by the rows. Rows of
// ledger, queue and domain are estimates.
const (
	mailboxRow = 68
	removedRow = 26 // the tombstone of a message
	trashRow   = 82
	addressRow = 190 // with a hash of argon2id
	loginRow   = 50
	serverRow  = 124
	traceRow   = 210
	auditRow   = 185
	contentRow = 100 // without data
	ledgerRow  = 300
	queueRow   = 220
	domainRow  = 200
)

// chunk is the most data in a partition of contents.
const chunk = 256 << 10

// listed is the count of messages that a login reads with one statement.
const listed = 5000

// Intervals in seconds.
const (
	heartbeat    = 10  // cassandra.heartbeat
	ledgerPoll   = 2   // delivery.ledger_poll
	addressCache = 10  // auth.address_cache_ttl, also of domains
	bulkPoll     = 10  // between two logins to a bulk mailbox
	flush        = 1.0 // between two writes of a journal by a server
)

// Rows of the trace: an accepted message has three, a retrieval and a removal have two each, a login has one. All
// but one of them, and those of logins, are found by a message and not by an account.
const (
	traceOfAccount = 3 // accepted, retrieved, removed
	traceOfMessage = 4 // by id three times, by Message-ID once
	auditOfAccount = 2 // retrieved, removed
)
