package account

import (
	"context"

	"popelago/mail"
)

// endedSize is the largest number of mailboxes of ended accounts in memory, about 120 octets each.
const endedSize = 100_000

// Ended reports whether this process has ended an account with a mailbox, and the account, whose address is canonical, does
// not have the mailbox: another server may have renamed the account at the same moment, and the mailbox lives on under the
// new address. Without an end by this process Ended reads nothing from the store: accounts that other processes have ended
// show in RemovedMailboxes only.
//
// Errors: ErrBusyElsewhere, the store's.
func (d *Directory) Ended(ctx context.Context, account mail.Address, mailbox mail.MailboxID) (bool, error) {
	if _, ended := d.ended.Get(mailbox); !ended {
		return false, nil
	}
	has := func(e *entry) bool { return e.isAccount() && e.mailbox == mailbox }
	e, err := d.read(ctx, account)
	if err == nil && !has(e) {
		e, err = d.readElsewhere(ctx, account, e)
	}
	return err == nil && !has(e), err
}
