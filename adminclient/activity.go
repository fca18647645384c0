package adminclient

import "time"

// The parts of an Activity, for Activity.Missing.
const (
	PartLogin      = "login"
	PartMaildrop   = "maildrop"
	PartRetrievals = "retrievals"
)

// Activity describes the use of an account. Absent values are unknown, never zero: Missing lists the parts
// without a result.
type Activity struct {
	Missing []string `json:"missing,omitempty" nullable:"false" enum:"login,maildrop,retrievals" doc:"Parts that could not be read in time: login (lastLogin), maildrop (messages, octets, oldest, lastDelivery), retrievals (unfetched). Absent: all were read."`

	LastLogin   *time.Time `json:"lastLogin,omitempty" doc:"Last POP3 login that is noted, late by the pause of pop3.note_logins_every, and by the lag between datacenters. Absent: none is noted."`
	NotesLogins bool       `json:"notesLogins" doc:"Whether this server notes logins."`

	Messages     *int       `json:"messages,omitempty" doc:"Messages in the mailbox."`
	Octets       *int64     `json:"octets,omitempty" doc:"Sum of the messages' sizes in POP3."`
	Oldest       *time.Time `json:"oldest,omitempty" doc:"Arrival of the oldest message in the mailbox. Absent: the mailbox is empty."`
	LastDelivery *time.Time `json:"lastDelivery,omitempty" doc:"Arrival of the newest message in the mailbox: a later message may have been removed. Absent: the mailbox is empty, and the last delivery is not known."`

	Unfetched       *int `json:"unfetched,omitempty" doc:"Messages in the mailbox without a note of a retrieval. Absent: retrievals are not noted for the account."`
	NotesRetrievals bool `json:"notesRetrievals" doc:"Whether retrievals are noted for the account: the setting retention_after_retrieval is in force."`
}
