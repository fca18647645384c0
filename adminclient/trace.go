package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// Event is one thing that happened to a message, a maildrop or a setting. Absent values do not apply, or are
// unknown.
type Event struct {
	Time       time.Time `json:"time" doc:"When, by the clock of the server."`
	Kind       string    `json:"kind" doc:"accepted, refused, over-quota, login, login-failed, retrieved, removed, expired, purged, restored, unfetched, growing; access and change are actions of administrators."`
	Server     string    `json:"server" doc:"The server that reports the event."`
	Datacenter string    `json:"datacenter,omitempty" doc:"The datacenter of the server."`
	Address    string    `json:"address,omitempty" doc:"The account; for an action on a domain the domain."`
	Mailbox    string    `json:"mailbox,omitempty" doc:"The mailbox of the account."`
	Recipient  string    `json:"recipient,omitempty" doc:"The address that RCPT named, if it is another."`
	Sender     string    `json:"sender,omitempty" doc:"The reverse-path."`
	ID         string    `json:"id,omitempty" doc:"The message id."`
	UniqueID   string    `json:"uniqueId,omitempty" doc:"The unique-id (UIDL) of the message."`
	MessageID  string    `json:"messageId,omitempty" doc:"The header field Message-ID, without angle brackets."`
	Octets     int64     `json:"octets,omitempty" doc:"Size of the message, of the refused text, or of the list of a login."`
	Messages   int64     `json:"messages,omitempty" doc:"Messages in the list of a login, or concerned by an action."`
	Attempts   int64     `json:"attempts,omitempty" doc:"The failed logins that the event stands for."`
	Remote     string    `json:"remote,omitempty" doc:"The address of the client."`
	Protocol   string    `json:"protocol,omitempty" doc:"The protocol of the client, such as LMTP, ESMTPS, POP3S, HTTP."`
	Session    string    `json:"session,omitempty" doc:"The id of the session, as the log has it."`
	Durability string    `json:"durability,omitempty" doc:"The durability that an acceptance or a removal reached: local, each, fallback."`
	Cause      string    `json:"cause,omitempty" doc:"The reason of a refusal, or the doubt about a removal."`
	Actor      string    `json:"actor,omitempty" doc:"The administrator: the id of a token, configured (the token of the configuration), socket (the admin socket)."`
	Operation  string    `json:"operation,omitempty" doc:"The action of the administrator, as the API names it."`
	Before     string    `json:"before,omitempty" doc:"The subject before a change."`
	After      string    `json:"after,omitempty" doc:"The subject after a change."`
}

// Fact is a further fact of an event.
type Fact struct{ Name, Text string }

// Facts lists the facts of an event without its time, kind, account, message, client and server, and without
// the states before and after a change.
func (e Event) Facts() (all []Fact) {
	add := func(name, text string) {
		if text != "" {
			all = append(all, Fact{name, text})
		}
	}
	add("operation", e.Operation)
	add("from", e.Sender)
	add("to", e.Recipient)
	add("message-id", e.MessageID)
	if e.Messages > 0 || e.Kind == "login" {
		add("messages", strconv.FormatInt(e.Messages, 10))
	}
	if e.Attempts > 1 {
		add("attempts", strconv.FormatInt(e.Attempts, 10))
	}
	if e.Octets > 0 {
		add("octets", strconv.FormatInt(e.Octets, 10))
	}
	add("durability", e.Durability)
	add("session", e.Session)
	add("cause", e.Cause)
	return all
}

// EventList is a list of events.
type EventList struct {
	Events  []Event `json:"events" nullable:"false" doc:"The newest event first."`
	Next    string  `json:"next,omitempty" doc:"The before of the next page; absent: no further event is known."`
	Partial bool    `json:"partial" doc:"A datacenter could not be asked: its newest events may be missing."`
	Damaged int     `json:"damaged,omitempty" doc:"The number of records that were read and are damaged: the answer lacks these events. Absent for a caller without the scope all where the records may belong to other domains."`
	Enabled bool    `json:"enabled" doc:"This server keeps records (trace.enabled, audit.enabled)."`
	Kept    string  `json:"kept" doc:"The time for which this server keeps records." example:"720h0m0s"`
	// LeadsTo is of the first page of a trace of an address.
	LeadsTo []string `json:"leadsTo,omitempty" doc:"The accounts that mail for the address reaches, if the address is an alias, a group, or belongs to an account by a rule: ask for them. Only accounts within the scopes of the token."`
}

// EventQuery bounds a list of events.
type EventQuery struct {
	// Subject names the message, the account or the domain.
	Subject string
	// As is the kind of the subject of a trace: id, uidl, message-id or address; empty: its form decides.
	As string
	// FailedLogins: only failed logins, for an audit.
	FailedLogins bool
	// Since and Until bound the times; zero: no bound.
	Since, Until time.Time
	// Limit bounds the events; 0: the server's default.
	Limit int
	// Before is EventList.Next of the page before.
	Before string
}

func (q EventQuery) values() url.Values {
	v := url.Values{}
	set := func(name, text string) {
		if text != "" {
			v.Set(name, text)
		}
	}
	set("subject", q.Subject)
	set("as", q.As)
	set("before", q.Before)
	if q.FailedLogins {
		set("failedLogins", "true")
	}
	setMoment(v, "since", q.Since)
	setMoment(v, "until", q.Until)
	setNumber(v, "limit", int64(q.Limit))
	return v
}

// Trace lists the events of a message, or of the mail of an account. Status 400: the subject has no known form.
func (c *Client) Trace(ctx context.Context, q EventQuery) (EventList, error) {
	return c.events(ctx, "/v1/trace", q)
}

// Audit lists the logins, retrievals, removals and administrative actions of an account, or the
// administrative actions in a domain; without a subject all administrative actions in the scopes of the caller.
func (c *Client) Audit(ctx context.Context, q EventQuery) (EventList, error) {
	return c.events(ctx, "/v1/audit", q)
}

func (c *Client) events(ctx context.Context, path string, q EventQuery) (list EventList, err error) {
	if values := q.values().Encode(); values != "" {
		path += "?" + values
	}
	err = c.call(ctx, http.MethodGet, path, nil, &list)
	return list, err
}
