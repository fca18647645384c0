package account

import "popelago/mail"

// endedSize is the largest number of mailboxes of ended accounts in memory, about 120 octets each.
const endedSize = 100_000

// Ended reports whether this process has ended the account of a mailbox. Ended reads nothing from
// the store: accounts that other processes have ended show in RemovedMailboxes only.
func (d *Directory) Ended(mailbox mail.MailboxID) bool {
	_, ended := d.ended.Get(mailbox)
	return ended
}
