package admin

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
	"popelago/token"
	"popelago/trace"
)

// errSubject: a trace has a subject of no known form.
var errSubject = errors.New("name a message id, a unique-id, a Message-ID, or an address")

// eventQuery is exported below because huma fills only exported embedded fields.
type eventQuery struct {
	Since  time.Time `query:"since" doc:"Only events since this moment; absent: all that are kept."`
	Until  time.Time `query:"until" doc:"Only events before this moment."`
	Before string    `query:"before" maxLength:"60" doc:"The page begins behind this position: the value of next in the page before."`
	Limit  int       `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most events of a page."`
}

// EventQuery bounds an answer.
type EventQuery = eventQuery

func (q eventQuery) bounds() trace.Range {
	return trace.Range{From: q.Since, To: q.Until, Before: q.Before, Limit: q.Limit}
}

func (a *api) addTraces() {
	type list struct{ Body adminclient.EventList }
	type traceQuery struct {
		EventQuery
		Subject string `query:"subject" required:"true" minLength:"1" maxLength:"1000" doc:"A message id, a unique-id, a header field Message-ID, or an address."`
		As      string `query:"as" enum:"id,uidl,message-id,address" doc:"The kind of the subject. Absent: its form decides; a text with @ is a Message-ID if a message with it is known, and else an address."`
	}
	register(a, huma.Operation{
		OperationID: "trace-mail", Method: http.MethodGet, Path: "/v1/trace",
		Summary:     "Show the events of a message, or of the mail of an account",
		Description: "The answer has the events of all datacenters, in the domains that the caller reaches. The events of the last seconds at other servers may be missing. For a message the answer also has the logins that read the list with the message before its first retrieval, the last 20 of each account.",
	}, func(ctx context.Context, in *traceQuery) (*list, error) {
		found, err := a.trace(ctx, in.Subject, in.As, in.bounds())
		if err != nil {
			return nil, err
		}
		out := a.eventsOf(store.JournalTrace, found)
		byAddress := in.As == "address" || in.As == "" && (len(found.Events) == 0 || found.Events[0].Address == subjectOf(in.Subject))
		if in.Before == "" && byAddress {
			out.LeadsTo = a.leadsTo(ctx, in.Subject)
		}
		return &list{out}, nil
	})

	type auditQuery struct {
		EventQuery
		FailedLogins bool   `query:"failedLogins" doc:"Only failed logins: of an address, of the addresses of a domain, or all of them, with requests whose token was refused."`
		Subject      string `query:"subject" maxLength:"1000" doc:"An address: its logins, retrievals, removals, and actions of administrators. A domain: actions of administrators in it. Absent: all actions of administrators."`
	}
	register(a, huma.Operation{
		OperationID: "list-audit", Method: http.MethodGet, Path: "/v1/audit",
		Summary:     "Show logins, retrievals and removals of an account, and the actions of administrators",
		Description: "The answer has the events of all datacenters, in the domains that the caller reaches. The events of the last seconds at other servers may be missing.",
	}, func(ctx context.Context, in *auditQuery) (*list, error) {
		c := callerOf(ctx)
		subjects, err := auditSubjects(c, in.Subject)
		if err != nil {
			return nil, err
		}
		find := a.cfg.Traces.Audit
		if in.FailedLogins {
			find = a.cfg.Traces.FailedLogins
		}
		found, err := find(ctx, subjects, in.bounds(), visibleTo(c))
		if err != nil {
			return nil, err
		}
		if in.FailedLogins && !strings.Contains(in.Subject, "@") { // read among the failed logins of all domains
			found.Damaged = damagedFor(c, found.Damaged)
		}
		return &list{a.eventsOf(store.JournalAudit, found)}, nil
	})
}

// visibleTo returns the filter for a caller: events in the domains that the caller reaches.
func visibleTo(c token.Caller) trace.Filter {
	return func(e event.Event) bool {
		if c.All {
			return true
		}
		domain, err := domainIn(e.Address)
		return err == nil && c.Reaches(domain)
	}
}

// auditSubjects returns the subjects of an audit: the asked one, or without any all domains of the caller.
// Errors: token.ErrForbidden, mail.ErrBadAddress.
func auditSubjects(c token.Caller, subject string) ([]string, error) {
	if subject == "" {
		return c.Domains, nil // none with the scope all
	}
	domain, err := domainIn(subject)
	if err != nil {
		return nil, err
	}
	if !c.Reaches(domain) {
		return nil, fmt.Errorf("%w: the domain is outside the scopes of the token", token.ErrForbidden)
	}
	return []string{subjectOf(subject)}, nil
}

// trace finds the events of a subject. Errors: errSubject, token.ErrForbidden, trace.ErrBadPosition, the
// store's.
func (a *api) trace(ctx context.Context, subject, as string, in trace.Range) (found trace.Answer, err error) {
	c := callerOf(ctx)
	may := visibleTo(c)
	id, idErr := mail.ParseMessageID(subject)
	switch {
	case as == "id" || as == "" && idErr == nil:
		if idErr != nil {
			return found, idErr
		}
		found, err = a.cfg.Traces.Message(ctx, id, in, may)
	case as == "message-id" || as == "" && strings.HasPrefix(subject, "<"):
		found, err = a.cfg.Traces.HeaderID(ctx, event.HeaderID(subject), in, may)
	case as == "address":
		return a.traceAddress(ctx, c, subject, in)
	case as == "" && strings.Contains(subject, "@"):
		found, err = a.cfg.Traces.HeaderID(ctx, event.HeaderID(subject), in, may)
		if _, bad := mail.ParseAddress(subject); err == nil && len(found.Events) == 0 && bad == nil {
			return a.traceAddress(ctx, c, subject, in)
		}
	case as == "uidl" || isUIDL(subject):
		found, err = a.cfg.Traces.UIDL(ctx, mail.UIDL(subject), in, may)
	default:
		return found, errSubject
	}
	found.Damaged = damagedFor(c, found.Damaged)
	return found, err
}

// damagedFor returns the number of damaged records for a caller, where the records belong to any domain: a damaged
// record does not say to which.
func damagedFor(c token.Caller, n int) int {
	if c.All {
		return n
	}
	return 0
}

// isUIDL reports whether a text has the form of a unique-id of this program, or might be an imported one.
func isUIDL(text string) bool {
	b, err := hex.DecodeString(text)
	return err == nil && len(b) == 16 || mail.UIDL(text).Valid()
}

// traceAddress finds the mail of an account.
func (a *api) traceAddress(ctx context.Context, c token.Caller, text string, in trace.Range) (trace.Answer, error) {
	address, err := mail.ParseAddress(text)
	if err != nil {
		return trace.Answer{}, err
	}
	address = address.Canonical()
	if !c.Reaches(address.Domain) {
		return trace.Answer{}, fmt.Errorf("%w: the domain is outside the scopes of the token", token.ErrForbidden)
	}
	return a.cfg.Traces.Account(ctx, address.String(), in, visibleTo(c))
}

// leadTime bounds the search for the accounts behind an address.
const leadTime = 5 * time.Second

// leadsTo returns the accounts behind a text that is an address, unless the address is the only one. The events of
// their mail have their own addresses. Without an answer in time leadsTo returns none.
func (a *api) leadsTo(ctx context.Context, text string) (accounts []string) {
	address, err := mail.ParseAddress(text)
	c := callerOf(ctx)
	if err != nil || !c.Reaches(address.Canonical().Domain) {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, leadTime)
	defer cancel()
	found, err := a.directory.Explain(ctx, address)
	if err != nil {
		return nil
	}
	for _, r := range found.Recipients {
		if to := r.Account.Canonical(); c.Reaches(to.Domain) && to != address.Canonical() {
			accounts = append(accounts, to.String())
		}
	}
	slices.Sort(accounts)
	return slices.Compact(accounts)
}

// eventsOf returns the API's form of an answer.
func (a *api) eventsOf(j store.JournalName, found trace.Answer) adminclient.EventList {
	enabled, kept := a.cfg.Traces.Enabled(j)
	out := adminclient.EventList{
		Events: make([]adminclient.Event, len(found.Events)), Next: found.Next, Partial: found.Partial, Damaged: found.Damaged, Enabled: enabled, Kept: kept.String(),
	}
	for i, e := range found.Events {
		out.Events[i] = EventOf(e)
	}
	return out
}

// EventOf returns the API's form of an event.
func EventOf(e event.Event) adminclient.Event {
	out := adminclient.Event{
		Time: e.Time.UTC(), Kind: string(e.Kind), Server: e.Server, Datacenter: e.Datacenter, Address: mail.Printable(e.Address),
		Recipient: mail.Printable(e.Recipient), Sender: mail.Printable(e.Sender), MessageID: mail.Printable(e.HeaderID),
		Octets: e.Size, Messages: e.Messages, Attempts: e.Attempts, Protocol: e.Protocol, Session: e.Session, Cause: mail.Printable(e.Cause),
		Actor: e.Actor, Operation: e.Operation, Before: mail.Printable(e.Before), After: mail.Printable(e.After),
	}
	if !e.Mailbox.IsZero() {
		out.Mailbox = e.Mailbox.String()
	}
	if !e.Message.IsZero() {
		out.ID = e.Message.String()
		out.UniqueID = string(mail.Message{ID: e.Message, UIDL: e.UIDL}.UniqueID())
	}
	if e.Remote.IsValid() {
		out.Remote = e.Remote.Unmap().String()
	}
	if e.Kind == event.Accepted || e.Kind == event.Removed {
		out.Durability = e.Reached.String()
	}
	return out
}
