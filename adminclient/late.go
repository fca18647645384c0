package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// LateMessage is a message accepted for an account that had ended or was displaced. It is in no
// maildrop.
type LateMessage struct {
	Address   string    `json:"address" doc:"The address of the account."`
	Mailbox   string    `json:"mailbox" doc:"The mailbox of the account. Each account of the address has a mailbox of its own."`
	Ended     time.Time `json:"ended" doc:"When the account ended, or was displaced."`
	Displaced bool      `json:"displaced" doc:"The account was displaced by another account of its address."`
	Message   string    `json:"message" doc:"The id of the message."`
	Arrived   time.Time `json:"arrived" doc:"When the message was accepted."`
	Sender    string    `json:"sender" doc:"The reverse-path of the envelope; may be empty."`
	Recipient string    `json:"recipient" doc:"The recipient of the envelope."`
	Size      int64     `json:"size" doc:"The octets that POP3 would send."`
}

// LateList is a page of late mail.
type LateList struct {
	Messages []LateMessage `json:"messages" nullable:"false"`
	// Next is the after of the following page; empty if there is none.
	Next string `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
}

// LateSelection names late mail.
type LateSelection struct {
	Address string `json:"address" maxLength:"1000" doc:"The address of the ended account." example:"alice@example.org"`
	Mailbox string `json:"mailbox,omitempty" maxLength:"36" doc:"Only this mailbox. Needed if several former accounts of the address have late mail."`
	Message string `json:"message,omitempty" maxLength:"36" doc:"Only this message."`
}

// LateHandOver asks for late mail to be handed over.
type LateHandOver struct {
	LateSelection
	To string `json:"to" maxLength:"1000" doc:"The account that receives the messages." example:"bob@example.org"`
}

// LateCount says how many messages were handed over or dropped.
type LateCount struct {
	Messages int  `json:"messages"`
	More     bool `json:"more" doc:"More messages are selected than the time of a request allows: repeat the request."`
}

// Late returns a page of the late mail of an address (empty: of all), from behind after (empty: from the start),
// up to limit messages (0: the server's default). A page without messages may have a next page. Status 400:
// after is not the Next of the same list.
func (c *Client) Late(ctx context.Context, address, after string, limit int) (LateList, error) {
	query := url.Values{}
	set(query, "address", address)
	set(query, "after", after)
	setNumber(query, "limit", int64(limit))
	var list LateList
	err := c.call(ctx, http.MethodGet, withQuery("/v1/late", query), nil, &list)
	return list, err
}

// HandOverLate moves late mail into the maildrop of an account; with More in the answer the call must be repeated. Status 404: no such late mail, or
// no such account; 409: the mailbox must be named; 503: not every replica can be read.
func (c *Client) HandOverLate(ctx context.Context, s LateSelection, to string) (LateCount, error) {
	var n LateCount
	err := c.call(ctx, http.MethodPost, "/v1/late/hand-over", LateHandOver{LateSelection: s, To: to}, &n)
	return n, err
}

// DropLate removes late mail permanently. It has More and the status codes of HandOverLate.
func (c *Client) DropLate(ctx context.Context, s LateSelection) (LateCount, error) {
	var n LateCount
	err := c.call(ctx, http.MethodPost, "/v1/late/drop", s, &n)
	return n, err
}
