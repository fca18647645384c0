package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// RemovedMessage is a removed message with its content.
type RemovedMessage struct {
	UniqueID  string    `json:"uniqueId" doc:"The unique-id (UIDL)."`
	ID        string    `json:"id" doc:"The message id, which stays removed."`
	Removed   time.Time `json:"removed" doc:"When the message was removed."`
	Arrived   time.Time `json:"arrived" doc:"When the message was stored, imported or restored."`
	Octets    int64     `json:"octets" doc:"The octets that RETR sent; 0: unknown, because an older version of the program removed the message."`
	Recipient string    `json:"recipient" doc:"The recipient of the envelope; empty: unknown."`
}

// RemovedList is a list of removed messages, without the messages in the maildrop.
type RemovedList struct {
	Messages []RemovedMessage `json:"messages" nullable:"false" doc:"In the order of their removals, the last removal first."`
	Next     string           `json:"next,omitempty" doc:"The value of after for the next page; absent: there is no further message."`
	Partial  bool             `json:"partial" doc:"Not every datacenter answered: messages removed elsewhere may be missing."`
	Window   string           `json:"window" doc:"The time for which removed messages are kept." example:"168h0m0s"`
}

// RestoreRequest asks for removed messages to be restored. Exactly one of UniqueIDs, All and Since is
// given; Since may come with UniqueIDs or All.
type RestoreRequest struct {
	UniqueIDs []string   `json:"uniqueIds,omitempty" maxItems:"200" doc:"The unique-ids of the messages."`
	All       bool       `json:"all,omitempty" doc:"All removed messages."`
	Since     *time.Time `json:"since,omitempty" doc:"Only messages removed since this moment; absent: since the undelete window began."`
	Began     *time.Time `json:"began,omitempty" doc:"Leave out messages removed after this moment: the began of the answer that this request goes on with, or the begin of a restore that was stopped."`
}

// Restored reports restored messages.
type Restored struct {
	Messages int      `json:"messages" doc:"Messages restored."`
	Octets   int64    `json:"octets" doc:"Their octets."`
	There    []string `json:"there" nullable:"false" doc:"Named messages that are in the maildrop already."`
	Missing  []string `json:"missing" nullable:"false" doc:"Named messages without a removal that can be undone."`
	Gone     int      `json:"gone" doc:"Messages whose content is gone or damaged."`
	Waiting  int      `json:"waiting" doc:"Messages whose content could not be read now: repeat the request later, with began."`
	More     bool     `json:"more" doc:"Time has run out: repeat the request, with began."`
	Partial  bool     `json:"partial" doc:"Not every datacenter answered: messages removed elsewhere may be missing."`
	// Began is present with More, Waiting or Partial.
	Began *time.Time `json:"began,omitempty" doc:"The begin of the restore, for the request that goes on with it; present with more, waiting or partial."`
}

// RemovedMessages lists the messages of an account removed since a moment (zero: within the
// undelete window), up to limit messages (0: the server's default). after is the Next of the page before, or
// empty. Status 404: no such account.
func (c *Client) RemovedMessages(ctx context.Context, address string, since time.Time, after string, limit int) (RemovedList, error) {
	query := url.Values{}
	if !since.IsZero() {
		query.Set("since", since.UTC().Format(time.RFC3339Nano))
	}
	if after != "" {
		query.Set("after", after)
	}
	setNumber(query, "limit", int64(limit))
	var list RemovedList
	err := c.call(ctx, http.MethodGet, maildropPath(address, "removed", query), nil, &list)
	return list, err
}

// Restore brings removed messages back into the maildrop. Status 404: no such account; 400: not exactly
// a single selection; 409: a restore of the maildrop is running.
func (c *Client) Restore(ctx context.Context, address string, r RestoreRequest) (Restored, error) {
	var restored Restored
	err := c.call(ctx, http.MethodPost, maildropPath(address, "restore", nil), r, &restored)
	return restored, err
}
