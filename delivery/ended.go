package delivery

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"popelago/account"
	"popelago/ledger"
	"popelago/store"
)

// errEndedAmong is the error of a recipient whose account has ended while other recipients of the
// same reply have the message. The sender tries again; RCPT then refuses the ended account, and the
// others get no second copy.
var errEndedAmong = fmt.Errorf("%w: the account of one of the recipients has ended", store.ErrUnavailable)

// refuseEnded refuses recipients whose account this server has ended since RCPT. firstOf is as in.rows returns it.
func (in *Incoming) refuseEnded(ctx context.Context, rows []ledger.Row, firstOf []int) {
	for i := range rows {
		r := &rows[i]
		switch ended, err := in.ended(ctx, r, firstOf[i]); {
		case err != nil:
			r.State, r.Err = ledger.Failed, fmt.Errorf("delivery: look for the end of the account: %w", err)
		case ended:
			r.State, r.Err = ledger.Failed, account.ErrNoSuchRecipient
		}
	}
}

// ended reports whether this server has ended the account of a row, whose first recipient has an index.
func (in *Incoming) ended(ctx context.Context, r *ledger.Row, first int) (bool, error) {
	return in.d.dir.Ended(ctx, in.envelope.Recipients[first].Account, r.Mailbox)
}

// removeEnded removes the stored rows of accounts that this server ended during the delivery:
// nobody could fetch the message. A removal of an account that ends later was acknowledged after
// the message. A row of an account whose end is in doubt stays: background work reports such mail.
func (in *Incoming) removeEnded(ctx context.Context, out *ledger.Outcome, firstOf []int) {
	for i := range out.Plan.Rows {
		r := &out.Plan.Rows[i]
		if r.State != ledger.Stored || r.Err != nil {
			continue
		}
		if ended, err := in.ended(ctx, r, firstOf[i]); err == nil && ended {
			r.Err = account.ErrNoSuchRecipient
			_ = in.d.remove(ctx, partOf(out, r), r) // the state says whether it failed
		}
	}
}

// partOf returns the part with the id of a stored row.
func partOf(out *ledger.Outcome, r *ledger.Row) *ledger.Part {
	for _, part := range out.Further {
		if part.ID == r.Message.ID {
			return part
		}
	}
	return &out.Part
}

// refuseForAll makes the refusal of ended accounts temporary if one reply is for all recipients and
// some of them have the message.
func refuseForAll(out *ledger.Outcome, c *commands) {
	rows := out.Plan.Rows
	if !out.SingleReply || !slices.ContainsFunc(rows, func(r ledger.Row) bool { return r.Err == nil }) {
		return
	}
	needed := c.needed()
	for i := range rows {
		if errors.Is(rows[i].Err, account.ErrNoSuchRecipient) && needed[i] {
			rows[i].Err = errEndedAmong
		}
	}
}
