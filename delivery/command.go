package delivery

import (
	"errors"
	"slices"

	"popelago/account"
	"popelago/ledger"
	"popelago/mail"
	"popelago/quota"
)

// commands judges the RCPT commands of a transaction by their rows. A command has several rows behind an
// alias or a group.
type commands struct {
	rows [][]int // for each command the indices of its rows
	out  *ledger.Outcome
}

func newCommands(e mail.Envelope, out *ledger.Outcome, rowOf []int) *commands {
	c := &commands{rows: make([][]int, e.Commands()), out: out}
	e.EachCommand(func(command, from, to int) { c.rows[command] = rowOf[from:to] })
	return c
}

// err returns the error of a command; nil: the message is stored for each row that counts. A row of an
// account that has ended does not count beside others: a group goes without the member. Of several errors the
// gravest counts.
func (c *commands) err(command int) (gravest error) {
	ended, stored := error(nil), false
	for _, k := range c.rows[command] {
		switch err := c.out.Plan.Rows[k].Err; {
		case err == nil:
			stored = true
		case errors.Is(err, account.ErrNoSuchRecipient):
			ended = err
		case gravity(err) > gravity(gravest):
			gravest = err
		}
	}
	if gravest == nil && !stored {
		return ended
	}
	return gravest
}

// gravity orders the errors behind one reply: no error; a permanent refusal by a limit; a temporary one; a
// fault. The sender repeats a message as long as a repetition may reach one more recipient.
func gravity(err error) int {
	switch {
	case err == nil:
		return 0
	case errors.Is(err, quota.ErrRefused), errors.Is(err, ErrTooLarge):
		return 1
	case errors.Is(err, quota.ErrOver):
		return 2
	}
	return 3
}

// besideTakers returns the rows whose reply also stands for a row without an error.
func (c *commands) besideTakers() (rows []int) {
	takes := func(k int) bool { return c.out.Plan.Rows[k].Err == nil }
	replies := c.rows
	if c.out.SingleReply {
		replies = [][]int{slices.Concat(c.rows...)}
	}
	for _, reply := range replies {
		if slices.ContainsFunc(reply, takes) {
			rows = append(rows, reply...)
		}
	}
	return rows
}

// yield makes refused rows due again whose reply also stands for a row without an error. over holds the refused
// rows. A row of a command by itself does not exceed a quota beside another copy in its mailbox, see
// Incoming.reserve.
func (c *commands) yield(over map[int]bool) {
	rows := c.out.Plan.Rows
	takes := map[mail.MailboxID]bool{}
	for _, row := range rows {
		takes[row.Mailbox] = takes[row.Mailbox] || row.Err == nil
	}
	grouped := map[int]bool{}
	for _, command := range c.rows {
		for _, k := range command {
			grouped[k] = grouped[k] || len(command) > 1
		}
	}
	for _, k := range c.besideTakers() {
		row := &rows[k]
		switch {
		case !over[k] || row.Err == nil:
		case takes[row.Mailbox] && !grouped[k] && errors.Is(row.Err, quota.ErrOver):
			row.Err = quota.ErrOver // no permanent refusal: the reply stands for others, too
		default:
			row.State, row.Err = ledger.Pending, nil
			takes[row.Mailbox] = true
		}
	}
}

// needed reports for each row whether a command needs the row: no row of the command is without an error.
func (c *commands) needed() []bool {
	needed := make([]bool, len(c.out.Plan.Rows))
	for _, rows := range c.rows {
		if slices.ContainsFunc(rows, func(k int) bool { return c.out.Plan.Rows[k].Err == nil }) {
			continue
		}
		for _, k := range rows {
			needed[k] = true
		}
	}
	return needed
}
