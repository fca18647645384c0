package account

import (
	"github.com/maypok86/otter/v2"

	"popelago/mail"
)

// endedSize is the largest number of mailboxes of ended accounts in memory, about 50 octets each.
const endedSize = 100_000

func newEnded() (*otter.Cache[mail.MailboxID, struct{}], error) {
	return otter.New(&otter.Options[mail.MailboxID, struct{}]{MaximumSize: endedSize})
}

// Ended reports whether this process has ended the account of a mailbox. Ended reads nothing from
// the store: accounts that other processes have ended show in RemovedMailboxes only.
func (d *Directory) Ended(mailbox mail.MailboxID) bool {
	_, ended := d.ended.GetIfPresent(mailbox)
	return ended
}
