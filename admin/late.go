package admin

import (
	"context"
	"errors"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/mail"
	"popelago/task"
)

func (a *api) addLate() {
	type query struct {
		Address string `query:"address" maxLength:"1000" doc:"Only the late mail of this address. Without it the server reads the whole directory."`
		After   string `query:"after" maxLength:"1000" doc:"The page begins behind this place: the value of next in the page before."`
		Limit   int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Most messages of a page."`
	}
	type list struct{ Body adminclient.LateList }
	register(a, huma.Operation{
		OperationID: "list-late", Method: http.MethodGet, Path: "/v1/late",
		Summary:     "List late mail, messages accepted for accounts that had ended, a page at a time",
		Description: "A page without address reads 1000 mailboxes at most: a page without messages may have a next page.",
	}, func(ctx context.Context, in *query) (*list, error) {
		var address mail.Address
		if in.Address != "" {
			var err error
			if address, err = mail.ParseAddress(in.Address); err != nil {
				return nil, err
			}
		}
		messages, next, err := a.cfg.Late.List(ctx, address, in.After, in.Limit)
		if err != nil {
			return nil, err
		}
		out := &list{adminclient.LateList{Messages: make([]adminclient.LateMessage, len(messages)), Next: next}}
		for i, m := range messages {
			out.Body.Messages[i] = lateOf(m)
		}
		return out, nil
	})

	type count struct{ Body adminclient.LateCount }
	type handOver struct{ Body adminclient.LateHandOver }
	const inParts = "A request takes about 20 seconds; more in the answer says that more messages are selected."
	register(a, huma.Operation{
		OperationID: "hand-over-late", Method: http.MethodPost, Path: "/v1/late/hand-over",
		Summary: "Move late mail into the maildrop of an account", Description: inParts,
	}, func(ctx context.Context, in *handOver) (*count, error) {
		s, err := lateSelectionOf(in.Body.LateSelection)
		if err != nil {
			return nil, err
		}
		to, err := mail.ParseAddress(in.Body.To)
		if err != nil {
			return nil, err
		}
		a.reportLate(ctx, "hand-over-late", &s)
		n, err := a.cfg.Late.HandOver(ctx, s, to)
		if n > 0 {
			a.logger.Info("late mail handed over", "address", s.Address.String(), "to", to.String(), "messages", n)
		}
		out, err := lateCountOf(n, "handed over", err)
		return &count{out}, err
	})

	type drop struct{ Body adminclient.LateSelection }
	register(a, huma.Operation{
		OperationID: "drop-late", Method: http.MethodPost, Path: "/v1/late/drop",
		Summary: "Remove late mail permanently", Description: inParts,
	}, func(ctx context.Context, in *drop) (*count, error) {
		s, err := lateSelectionOf(in.Body)
		if err != nil {
			return nil, err
		}
		a.reportLate(ctx, "drop-late", &s)
		n, err := a.cfg.Late.Drop(ctx, s)
		if n > 0 {
			a.logger.Info("late mail dropped", "address", s.Address.String(), "messages", n)
		}
		out, err := lateCountOf(n, "dropped", err)
		return &count{out}, err
	})
}

// reportLate makes an operation report each message that leaves its late mail, and each copy.
func (a *api) reportLate(ctx context.Context, operation string, s *task.LateSelection) {
	if a.cfg.Events == nil {
		return
	}
	s.Left = func(m task.LateMessage, doubt string) {
		a.reportRemoved(ctx, operation, m.Address, m.Mailbox)([]mail.Message{m.Message}, doubt)
	}
	s.Arrived = func(copied mail.Message, to mail.Recipient) {
		a.reportRestored(ctx, operation, to.Account, to.Mailbox)(copied)
	}
}

// lateCountOf returns the answer to a request that has moved or dropped n messages; done is the verb.
func lateCountOf(n int, done string, err error) (adminclient.LateCount, error) {
	more := errors.Is(err, task.ErrMoreLate)
	if more {
		err = nil
	}
	return adminclient.LateCount{Messages: n, More: more}, partialBehind(n, done, err)
}

func lateSelectionOf(s adminclient.LateSelection) (out task.LateSelection, err error) {
	out.Until = time.Now().Add(requestTime)
	if out.Address, err = mail.ParseAddress(s.Address); err != nil {
		return out, err
	}
	if s.Mailbox != "" {
		if out.Mailbox, err = mail.ParseMailboxID(s.Mailbox); err != nil {
			return out, task.ErrNotLate
		}
	}
	if s.Message != "" {
		if out.Message, err = mail.ParseMessageID(s.Message); err != nil {
			return out, task.ErrNotLate
		}
	}
	return out, nil
}

func lateOf(m task.LateMessage) adminclient.LateMessage {
	return adminclient.LateMessage{
		Address: m.Address.String(), Mailbox: m.Mailbox.String(), Ended: m.Ended.UTC(), Displaced: m.Displaced,
		Message: m.Message.ID.String(), Arrived: m.Message.ID.Time().UTC(), Sender: m.ReversePath,
		Recipient: m.Message.Recipient, Size: m.Message.Size,
	}
}
