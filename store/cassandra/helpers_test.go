package cassandra_test

import (
	"popelago/store/cassandra"
	"popelago/store/enginetest"
)

// Short names for the helpers that tests of other packages use, too.
var (
	keyspace, apply, open, reopen  = enginetest.Keyspace, enginetest.Apply, enginetest.Open, enginetest.Reopen
	session, truncate              = enginetest.Session, enginetest.Truncate
	ids, message, mailbox          = enginetest.IDs, enginetest.Message, enginetest.Mailbox
	put, add, list, retrieve       = enginetest.Put, enginetest.Add, enginetest.List, enginetest.Retrieve
	wantClass, spent               = enginetest.WantClass, enginetest.Spent
	accounts, deliver, entry       = enginetest.Accounts, enginetest.Deliver, enginetest.Entry
	wantCheck, wantList            = enginetest.WantCheck, enginetest.WantList
	doctor                         = enginetest.Doctor
	at, dayOf, addBulk, segmentsOf = enginetest.At, enginetest.DayOf, enginetest.AddBulk, enginetest.SegmentsOf
	idsOf, sorted, wantRows        = enginetest.IDsOf, enginetest.Sorted, enginetest.WantRows
)

const ok, warning, failure = cassandra.FindingOK, cassandra.FindingWarning, cassandra.FindingError
