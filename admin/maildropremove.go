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
	"popelago/mail"
)

// removeMost bounds the messages that one request removes.
const removeMost = 10_000

func (a *api) addRemove() {
	type removal struct {
		AccountPath
		Body adminclient.MaildropRemoval
	}
	type removed struct{ Body adminclient.MaildropRemoved }
	register(a, huma.Operation{
		OperationID: "remove-messages", Method: http.MethodPost, Path: "/v1/maildrops/{address}/remove",
		Summary:       "Remove messages from a maildrop, as DELE and QUIT do",
		Description:   "Removing a message that is gone changes nothing. A request removes up to 10,000 messages; more in the answer says that more are selected.",
		DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *removal) (*removed, error) {
		selects, err := parseRemoval(in.Body, time.Now())
		if err != nil {
			return nil, err
		}
		m, err := a.open(ctx, in.AccountPath)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		out, err := m.remove(ctx, in.Body, selects)
		if out.Messages > 0 && !in.Body.DryRun {
			a.removedMessages(ctx, m, out.Octets, err)
			more := []any{"messages", out.Messages, "octets", out.Octets, "selection", selectionOf(in.Body)}
			if err != nil {
				more = append(more, "incomplete", err.Error())
			}
			a.accessed(ctx, "remove-messages", m.account, more...)
		}
		if err != nil {
			return nil, err
		}
		return &removed{out}, nil
	})
}

// errSelection: a removal has no selection, or several.
var errSelection = errors.New("name unique-ids, or a filter with a condition, or all")

// parseRemoval checks a removal, and returns its filter.
func parseRemoval(r adminclient.MaildropRemoval, now time.Time) (filter, error) {
	n := 0
	for _, given := range []bool{len(r.UniqueIDs) > 0, r.Filter != nil, r.All} {
		if given {
			n++
		}
	}
	if n != 1 || r.Filter != nil && *r.Filter == (adminclient.MaildropFilter{}) {
		return filter{}, fmt.Errorf("%w: %w", account.ErrBadSetting, errSelection)
	}
	if r.Filter == nil {
		return filter{}, nil
	}
	return parseFilter(*r.Filter, now)
}

// selectionOf describes a selection for the log.
func selectionOf(r adminclient.MaildropRemoval) any {
	switch {
	case r.All:
		return "all"
	case r.Filter != nil:
		return *r.Filter
	}
	return r.UniqueIDs
}

// remove removes the selected messages, or counts them. After an error with messages in the result, some of these
// messages may be removed; after an error without messages, none.
func (m *openedMaildrop) remove(ctx context.Context, r adminclient.MaildropRemoval, f filter) (adminclient.MaildropRemoved, error) {
	out := adminclient.MaildropRemoved{Missing: []string{}}
	take := func(n int) error {
		row, err := m.Row(n)
		if err != nil {
			return err
		}
		out.Messages++
		out.Octets += row.Size
		if r.DryRun {
			return nil
		}
		return m.Mark(n)
	}
	if err := m.each(r, f, &out, take); err != nil {
		return adminclient.MaildropRemoved{}, err
	}
	if r.DryRun {
		return out, nil
	}
	_, err := m.Commit(ctx)
	return out, err
}

// each calls take for the selected messages, and notes in out which unique-ids are missing, and whether
// more messages are selected than take may get.
func (m *openedMaildrop) each(r adminclient.MaildropRemoval, f filter, out *adminclient.MaildropRemoved, take func(n int) error) error {
	if len(r.UniqueIDs) > 0 {
		wanted := make([]mail.UIDL, len(r.UniqueIDs))
		for i, u := range r.UniqueIDs {
			wanted[i] = mail.UIDL(u)
		}
		numbers := m.Numbers(wanted)
		for _, u := range wanted {
			n, there := numbers[u]
			switch {
			case !there:
				out.Missing = append(out.Missing, string(u))
				continue
			case n == 0:
				continue // named twice
			}
			numbers[u] = 0
			if err := take(n); err != nil {
				return err
			}
		}
		return nil
	}
	for n := 1; n <= m.Len(); n++ {
		row, err := m.Row(n)
		if err != nil {
			return err
		}
		if !f.selects(row) {
			continue
		}
		if out.Messages == removeMost && !r.DryRun {
			out.More = true
			return nil
		}
		if err := take(n); err != nil {
			return err
		}
	}
	return nil
}
