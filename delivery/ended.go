package delivery

import (
	"context"
	"fmt"

	"popelago/account"
	"popelago/store"
)

// errEndedAmong is the error of a recipient whose account has ended while others of the same
// reply have the message: the sender tries again, RCPT then refuses the one, and what the others
// have is not stored again.
var errEndedAmong = fmt.Errorf("%w: the account of one of the recipients has ended", store.ErrUnavailable)

// refuseEnded gives the recipients whose account this server has ended since RCPT an error. A row
// that was written is removed again: nobody could fetch it. It is called before and after rows
// are written; a removal that ends later than the second call was acknowledged after the message.
func (d *Deliverer) refuseEnded(ctx context.Context, t *trial) {
	for i := range t.entries {
		e := &t.entries[i]
		if e.err != nil || e.had || !d.dir.Ended(e.row.Mailbox) {
			continue
		}
		e.err = account.ErrNoSuchRecipient
		if !e.tried {
			continue
		}
		t.spoiled = true // its row is removed: nothing more may be written under the id
		e.unsure = d.remove(ctx, e, t.id) != nil
	}
}

// endedAmong makes refusals of ended accounts temporary where one reply is for all recipients and
// others have the message.
func (t *trial) endedAmong(single bool) {
	if !single || !anyEntry(t.entries, func(e *entry) bool { return e.err == nil }) {
		return
	}
	for i := range t.entries {
		if e := &t.entries[i]; e.err == account.ErrNoSuchRecipient {
			e.err = errEndedAmong
		}
	}
}
