package admin

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/account"
	"popelago/adminclient"
	"popelago/mail"
	"popelago/maildrop"
)

// openedMaildrop is a maildrop with the account that owns the maildrop.
type openedMaildrop struct {
	*maildrop.Maildrop
	account account.Maildrop
}

// open opens the maildrop of an account, as a POP3 session that begins now sees the maildrop. The
// caller must close the maildrop.
func (a *api) open(ctx context.Context, p AccountPath) (*openedMaildrop, error) {
	address, err := p.parse()
	if err != nil {
		return nil, err
	}
	acc, err := a.directory.Maildrop(ctx, address)
	if err != nil {
		return nil, err
	}
	drop, err := maildrop.Open(ctx, a.levels, acc.Mailbox, maildrop.Options{Durability: acc.Durability, Retention: acc.InForce, Lists: a.lists})
	if err != nil {
		return nil, err
	}
	return &openedMaildrop{drop, acc}, nil
}

// MessagePath is the part of a request that names one message. It is exported because huma fills only
// exported embedded fields.
type MessagePath struct {
	AccountPath
	UniqueID string `query:"uniqueId" required:"true" maxLength:"255" doc:"The unique-id of the message."`
}

// message opens a maildrop and finds one message. The caller must close the maildrop. Errors:
// maildrop.ErrNoSuchMessage.
func (a *api) message(ctx context.Context, p MessagePath) (m *openedMaildrop, number int, err error) {
	m, err = a.open(ctx, p.AccountPath)
	if err != nil {
		return nil, 0, err
	}
	if number = m.Numbers([]mail.UIDL{mail.UIDL(p.UniqueID)})[mail.UIDL(p.UniqueID)]; number == 0 {
		m.Close()
		return nil, 0, fmt.Errorf("%w: %q in the maildrop of %s", maildrop.ErrNoSuchMessage, p.UniqueID, m.account.Address)
	}
	return m, number, nil
}

// describe returns the API's form of a message. The message is not marked.
func (m *openedMaildrop) describe(n int) (adminclient.MaildropMessage, error) {
	row, err := m.Row(n)
	if err != nil {
		return adminclient.MaildropMessage{}, err
	}
	return adminclient.MaildropMessage{
		Number: n, UniqueID: string(row.UniqueID()), ID: row.ID.String(), Octets: row.Size, Arrived: row.ID.Time(),
		Recipient: mail.Printable(row.Recipient), Origin: row.Origin,
	}, nil
}

// filterQuery is a filter in the query of a request.
type filterQuery struct {
	OlderThan string `query:"olderThan" maxLength:"30" doc:"Only messages that arrived at least this long ago: days such as 90d, hours such as 36h."`
	NewerThan string `query:"newerThan" maxLength:"30" doc:"Only messages that arrived less than this long ago."`
	MinOctets int64  `query:"minOctets" minimum:"0" doc:"Only messages of at least this size."`
	MaxOctets int64  `query:"maxOctets" minimum:"0" doc:"Only messages of at most this size; 0: of any size."`
}

// FilterQuery is exported because huma fills only exported embedded fields.
type FilterQuery = filterQuery

func (a *api) addMaildrops() {
	type query struct {
		AccountPath
		FilterQuery
		NewestFirst bool   `query:"newestFirst" doc:"The newest message comes first."`
		After       string `query:"after" maxLength:"36" doc:"The page begins behind this message id: the value of next in the page before."`
		Limit       int    `query:"limit" minimum:"1" maximum:"10000" default:"1000" doc:"Most messages of a page."`
	}
	type list struct{ Body adminclient.MaildropList }
	register(a, huma.Operation{
		OperationID: "list-messages", Method: http.MethodGet, Path: "/v1/maildrops/{address}/messages",
		Summary:     "List the messages of a maildrop, a page at a time",
		Description: "The list is the list of a POP3 session that begins now: without messages past the retention.",
	}, func(ctx context.Context, in *query) (*list, error) {
		filter, err := parseFilter(adminclient.MaildropFilter(in.FilterQuery), time.Now())
		if err != nil {
			return nil, err
		}
		var after mail.MessageID
		if in.After != "" {
			if after, err = mail.ParseMessageID(in.After); err != nil {
				return nil, err
			}
		}
		m, err := a.open(ctx, in.AccountPath)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		out, err := m.page(filter, in.NewestFirst, after, in.Limit)
		return &list{out}, err
	})

	type header struct{ Body adminclient.MessageHeader }
	register(a, huma.Operation{
		OperationID: "show-header", Method: http.MethodGet, Path: "/v1/maildrops/{address}/message/header",
		Summary:     "Show the header of a message",
		Description: "All texts come from the sender of the message: a program must escape them before it shows them as HTML.",
	}, func(ctx context.Context, in *MessagePath) (*header, error) {
		m, n, err := a.message(ctx, *in)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		if err := a.access(ctx, "show-header", m, n); err != nil {
			return nil, err
		}
		out, err := m.header(ctx, n)
		if err != nil {
			return nil, err
		}
		a.accessed(ctx, "show-header", m.account, "message", out.ID, "uniqueId", out.UniqueID)
		return &header{out}, nil
	})

	type verified struct{ Body adminclient.VerifiedMessage }
	register(a, huma.Operation{
		OperationID: "verify-message", Method: http.MethodPost, Path: "/v1/maildrops/{address}/message/verify",
		Summary: "Read a message to its end, and compare its size with the list", DefaultStatus: http.StatusOK,
	}, func(ctx context.Context, in *MessagePath) (*verified, error) {
		m, n, err := a.message(ctx, *in)
		if err != nil {
			return nil, err
		}
		defer m.Close()
		out, err := a.verify(ctx, m, n)
		return &verified{out}, err
	})

	a.addFetch()
	a.addRemove()
	a.addPut()
	a.addUndelete()
}

// page returns up to limit messages that a filter selects, from behind the message id after; zero: from the start.
func (m *openedMaildrop) page(f filter, newestFirst bool, after mail.MessageID, limit int) (adminclient.MaildropList, error) {
	out := adminclient.MaildropList{Messages: []adminclient.MaildropMessage{}}
	for i := range m.Len() {
		n := i + 1
		if newestFirst {
			n = m.Len() - i
		}
		row, err := m.Row(n)
		if err != nil {
			return out, err
		}
		order := row.ID.Compare(after)
		if newestFirst {
			order = -order
		}
		if !after.IsZero() && order <= 0 || !f.selects(row) {
			continue
		}
		if len(out.Messages) == limit {
			out.Next = out.Messages[limit-1].ID
			break
		}
		one, err := m.describe(n)
		if err != nil {
			return out, err
		}
		out.Messages = append(out.Messages, one)
	}
	return out, nil
}
