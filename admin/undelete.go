package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/event"
	"popelago/mail"
	"popelago/task"
)

// requestTime bounds the time of a request for many messages. Clients ask again.
const requestTime = 20 * time.Second

func (a *api) addUndelete() {
	type query struct {
		AccountPath
		Since time.Time `query:"since" doc:"Only messages removed since this moment; absent: since the undelete window began."`
		After string    `query:"after" maxLength:"70" doc:"The next of the page before."`
		Limit int       `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Most messages of the answer."`
	}
	type list struct{ Body adminclient.RemovedList }
	register(a, huma.Operation{
		OperationID: "list-removed-messages", Method: http.MethodGet, Path: "/v1/maildrops/{address}/removed",
		Summary:     "List the removed messages of an account that can be restored",
		Description: "Messages that are in the maildrop again are left out. Each page has the last removal first, and the smallest unique-ids of those to come.",
	}, func(ctx context.Context, in *query) (*list, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		found, err := a.cfg.Undelete.List(ctx, address, in.Since, mail.UIDL(in.After), in.Limit)
		if err != nil {
			return nil, err
		}
		return &list{removedOf(found, a.cfg.Undelete.Window())}, nil
	})

	type restore struct {
		AccountPath
		Body adminclient.RestoreRequest
	}
	type restored struct{ Body adminclient.Restored }
	register(a, huma.Operation{
		OperationID: "restore-messages", Method: http.MethodPost, Path: "/v1/maildrops/{address}/restore",
		Summary:       "Bring removed messages back into the maildrop, under their unique-ids",
		Description:   "A message that is in the maildrop already is not restored again. The retention counts from the restore.",
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *restore) (*restored, error) {
		address, err := in.parse()
		if err != nil {
			return nil, err
		}
		s, err := parseRestore(in.Body)
		if err != nil {
			return nil, err
		}
		acc, err := a.directory.Maildrop(ctx, address)
		if err != nil {
			return nil, err
		}
		s.Restored = a.reportRestored(ctx, "restore-messages", acc.Address, acc.Mailbox)
		report, err := a.cfg.Undelete.RestoreIn(ctx, acc, s, time.Now().Add(requestTime))
		a.noteRestore(ctx, acc, report, err)
		if err != nil {
			return nil, partialBehind(report.Messages, "restored", err)
		}
		return &restored{restoredOf(report)}, nil
	})
}

// noteRestore logs a restore of at least one message.
func (a *api) noteRestore(ctx context.Context, acc account.Maildrop, r task.RestoreReport, err error) {
	if r.Messages == 0 {
		return
	}
	more := []any{"messages", r.Messages, "octets", r.Octets}
	if err != nil {
		more = append(more, "incomplete", err.Error())
	}
	a.happened(ctx, event.Event{
		Kind: event.Accessed, Operation: "restore-messages", Mailbox: acc.Mailbox, Address: acc.Address.String(), Messages: int64(r.Messages), Size: r.Octets,
	})
	a.accessed(ctx, "restore-messages", acc, more...)
}

// errRestoreSelection: a restore has no selection, or several.
var errRestoreSelection = errors.New("name unique-ids, or all, or a moment since which messages were removed")

func parseRestore(r adminclient.RestoreRequest) (s task.RestoreSelection, err error) {
	if len(r.UniqueIDs) > 0 && r.All || len(r.UniqueIDs) == 0 && !r.All && r.Since == nil {
		return s, fmt.Errorf("%w: %w", account.ErrBadSetting, errRestoreSelection)
	}
	for _, u := range r.UniqueIDs {
		s.UniqueIDs = append(s.UniqueIDs, mail.UIDL(u))
	}
	if r.Since != nil {
		s.Since = *r.Since
	}
	if r.Began != nil {
		s.Began = *r.Began
	}
	return s, nil
}

func removedOf(l task.RemovedList, window time.Duration) adminclient.RemovedList {
	out := adminclient.RemovedList{
		Messages: make([]adminclient.RemovedMessage, len(l.Messages)), Next: string(l.Next), Partial: l.Partial, Window: window.String(),
	}
	for i, r := range l.Messages {
		out.Messages[i] = adminclient.RemovedMessage{
			UniqueID: string(r.Message.UniqueID()), ID: r.Message.ID.String(), Removed: r.At, Arrived: r.Message.ID.Time(),
			Octets: r.Message.Size, Recipient: mail.Printable(r.Message.Recipient),
		}
	}
	return out
}

func restoredOf(r task.RestoreReport) adminclient.Restored {
	out := adminclient.Restored{
		Messages: r.Messages, Octets: r.Octets, There: uniqueIDs(r.There), Missing: uniqueIDs(r.Missing), Gone: r.Gone, Waiting: r.Waiting,
		More: r.More, Partial: r.Partial,
	}
	if r.More || r.Waiting > 0 || r.Partial { // the request is repeated
		out.Began = &r.Began
	}
	return out
}

// uniqueIDs returns unique-ids as a list, never nil.
func uniqueIDs(ids []mail.UIDL) []string {
	list := make([]string, len(ids))
	for i, id := range ids {
		list[i] = string(id)
	}
	return list
}
