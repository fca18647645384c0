package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// MaildropMessage is a message of a maildrop, as a POP3 session that opens now lists the message.
type MaildropMessage struct {
	Number    int       `json:"number" doc:"The message-number: counted from 1, and valid for one session."`
	UniqueID  string    `json:"uniqueId" doc:"The unique-id (UIDL)."`
	ID        string    `json:"id" doc:"The message id."`
	Octets    int64     `json:"octets" doc:"The octets that RETR sends."`
	Arrived   time.Time `json:"arrived" doc:"When the message was stored, imported or restored."`
	Recipient string    `json:"recipient" doc:"The recipient of the envelope."`
	Origin    string    `json:"origin,omitempty" doc:"The datacenter that accepted the message; absent on a single machine."`
}

// MaildropList is a page of a maildrop.
type MaildropList struct {
	Messages []MaildropMessage `json:"messages" nullable:"false"`
	Next     string            `json:"next,omitempty" doc:"Value of after for the following page; absent on the last page."`
}

// MaildropFilter selects messages by age and size. All conditions must hold; an empty filter selects
// every message.
type MaildropFilter struct {
	OlderThan string `json:"olderThan,omitempty" maxLength:"30" doc:"Only messages that arrived at least this long ago: days such as 90d, hours such as 36h." example:"90d"`
	NewerThan string `json:"newerThan,omitempty" maxLength:"30" doc:"Only messages that arrived less than this long ago." example:"36h"`
	MinOctets int64  `json:"minOctets,omitempty" minimum:"0" doc:"Only messages of at least this size."`
	MaxOctets int64  `json:"maxOctets,omitempty" minimum:"0" doc:"Only messages of at most this size; 0: of any size."`
}

// MaildropQuery selects messages of a maildrop, and their order.
type MaildropQuery struct {
	MaildropFilter
	// NewestFirst: the newest message comes first.
	NewestFirst bool
}

func (f MaildropFilter) query() url.Values {
	query := url.Values{}
	set(query, "olderThan", f.OlderThan)
	set(query, "newerThan", f.NewerThan)
	setNumber(query, "minOctets", f.MinOctets)
	setNumber(query, "maxOctets", f.MaxOctets)
	return query
}

// set adds a parameter that is not empty.
func set(query url.Values, name, value string) {
	if value != "" {
		query.Set(name, value)
	}
}

// setNumber adds a parameter that is not zero.
func setNumber(query url.Values, name string, value int64) {
	if value != 0 {
		query.Set(name, strconv.FormatInt(value, 10))
	}
}

// HeaderField is a field of the header of a message.
type HeaderField struct {
	Name string `json:"name"`
	Body string `json:"body" doc:"The unfolded text behind the colon."`
}

// MessageHeader is the header of a message. Every text in it comes from the sender of the message.
type MessageHeader struct {
	MaildropMessage
	Sender  string        `json:"sender" doc:"The From field, decoded (RFC 2047). Text from a stranger: escape it before you show it as HTML."`
	Subject string        `json:"subject" doc:"The Subject field, decoded (RFC 2047). Text from a stranger: escape it before you show it as HTML."`
	Fields  []HeaderField `json:"fields" nullable:"false" doc:"All fields in their order, not decoded. Characters that cannot be seen stand as question marks. Text from a stranger: escape it before you show it as HTML."`
	Whole   bool          `json:"whole" doc:"False: the header is longer than 64 KiB, 1000 fields or 2000 characters in a field, and the rest is left out."`
}

// The states of a verified message.
const (
	// MessageSound: the message can be read to its end, and has its size.
	MessageSound = "sound"
	// MessageDamaged: the content is damaged, or contradicts its entry.
	MessageDamaged = "damaged"
	// MessageMissing: the content is missing, or has not arrived yet.
	MessageMissing = "missing"
)

// VerifiedMessage is the result of reading a message to its end.
type VerifiedMessage struct {
	MaildropMessage
	State string `json:"state" enum:"sound,damaged,missing" doc:"sound: the content was read to its end, and has the size listed. missing: the content is lost, or has not arrived from another datacenter yet."`
	Read  int64  `json:"read" doc:"The octets read."`
	Rows  int    `json:"rows" doc:"Entries with the unique-id that were read: more than 1 after a message was restored twice."`
}

// MaildropRemoval asks for messages to be removed: by unique-id, by filter, or all. Exactly one of
// UniqueIDs, Filter and All is given.
type MaildropRemoval struct {
	UniqueIDs []string        `json:"uniqueIds,omitempty" maxItems:"200" doc:"The unique-ids of the messages."`
	Filter    *MaildropFilter `json:"filter,omitempty" doc:"The messages that a filter with at least one condition selects."`
	All       bool            `json:"all,omitempty" doc:"All messages."`
	DryRun    bool            `json:"dryRun,omitempty" doc:"Only count the messages, and remove nothing."`
}

// MaildropRemoved reports removed messages.
type MaildropRemoved struct {
	Messages int      `json:"messages" doc:"Messages removed, or counted."`
	Octets   int64    `json:"octets" doc:"Their octets."`
	Missing  []string `json:"missing" nullable:"false" doc:"The unique-ids that the maildrop lacks."`
	More     bool     `json:"more" doc:"More messages are selected than one request removes: repeat the request."`
}

// PutMessage reports a stored message.
type PutMessage struct {
	UniqueID string `json:"uniqueId" doc:"The unique-id of the message."`
	ID       string `json:"id" doc:"The message id."`
	Octets   int64  `json:"octets" doc:"The octets of the text, as stored: without the lines that delivery adds."`
	Repeated bool   `json:"repeated" doc:"The message repeats an earlier delivery without a known outcome, and was not stored twice."`
}

// Maildrop returns a page of a maildrop, from behind the message id after (empty: from the start), up
// to limit messages (0: the server's default). Status 404: no such account.
func (c *Client) Maildrop(ctx context.Context, address string, q MaildropQuery, after string, limit int) (MaildropList, error) {
	query := q.query()
	if q.NewestFirst {
		query.Set("newestFirst", "true")
	}
	set(query, "after", after)
	setNumber(query, "limit", int64(limit))
	var list MaildropList
	err := c.call(ctx, http.MethodGet, maildropPath(address, "messages", query), nil, &list)
	return list, err
}

// MessageHeader returns the header of a message. Status 404: no such account, or no such message.
func (c *Client) MessageHeader(ctx context.Context, address, uniqueID string) (MessageHeader, error) {
	var h MessageHeader
	err := c.call(ctx, http.MethodGet, messagePath(address, "message/header", uniqueID), nil, &h)
	return h, err
}

// VerifyMessage reads a message to its end. Status 404: no such account, or no such message.
func (c *Client) VerifyMessage(ctx context.Context, address, uniqueID string) (VerifiedMessage, error) {
	var v VerifiedMessage
	err := c.call(ctx, http.MethodPost, messagePath(address, "message/verify", uniqueID), nil, &v)
	return v, err
}

// RemoveMessages removes messages from a maildrop permanently, as DELE and QUIT do. Status 404: no
// such account; 400: not exactly one selection.
func (c *Client) RemoveMessages(ctx context.Context, address string, r MaildropRemoval) (MaildropRemoved, error) {
	var removed MaildropRemoved
	err := c.call(ctx, http.MethodPost, maildropPath(address, "remove", nil), r, &removed)
	return removed, err
}

// maildropPath is the path of an operation on a maildrop.
func maildropPath(address, operation string, query url.Values) string {
	path := "/v1/maildrops/" + url.PathEscape(address) + "/" + operation
	if len(query) > 0 {
		path += "?" + query.Encode()
	}
	return path
}

// messagePath is the path of an operation on one message. A unique-id may hold any visible character,
// so it is a parameter.
func messagePath(address, operation, uniqueID string) string {
	return maildropPath(address, operation, url.Values{"uniqueId": {uniqueID}})
}
