package adminclient

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

// QueuedEvent is an event of the queue, as webhooks get it.
type QueuedEvent struct {
	ID     string    `json:"id" doc:"The same in each repetition."`
	Queued time.Time `json:"queued" doc:"When the event entered the queue."`
	Event  Event     `json:"event"`
}

// QueueList is a list of queued events.
type QueueList struct {
	Events  []QueuedEvent `json:"events" nullable:"false" doc:"The newest event first."`
	More    bool          `json:"more" doc:"There are earlier events: until with the queued of the last event shows them."`
	Partial bool          `json:"partial" doc:"A datacenter could not be asked: its newest events may be missing."`
	Damaged int           `json:"damaged,omitempty" doc:"The number of events that were read and are damaged: the answer lacks these events. Absent for a caller without the scope all where the records may belong to other domains."`
	Enabled bool          `json:"enabled" doc:"This server keeps a queue of events (events.enabled)."`
	Kept    string        `json:"kept" doc:"The time for which this server keeps events." example:"168h0m0s"`
}

// QueueQuery selects queued events. Empty fields select all.
type QueueQuery struct {
	Since, Until  time.Time
	Kind, Address string
	Limit         int // 0: the server's default
}

// Events lists the queue of events, the newest first.
func (c *Client) Events(ctx context.Context, q QueueQuery) (list QueueList, err error) {
	v := url.Values{}
	for name, text := range map[string]string{"kind": q.Kind, "address": q.Address} {
		if text != "" {
			v.Set(name, text)
		}
	}
	setMoment(v, "since", q.Since)
	setMoment(v, "until", q.Until)
	setNumber(v, "limit", int64(q.Limit))
	err = c.call(ctx, http.MethodGet, withQuery("/v1/events", v), nil, &list)
	return list, err
}

// setMoment sets a parameter, unless it is zero.
func setMoment(v url.Values, name string, at time.Time) {
	if !at.IsZero() {
		v.Set(name, at.UTC().Format(time.RFC3339Nano))
	}
}

// Webhook is the state of a webhook in a datacenter.
type Webhook struct {
	Name       string     `json:"name" example:"crm"`
	Datacenter string     `json:"datacenter,omitempty" doc:"The datacenter whose events these are."`
	Began      bool       `json:"began" doc:"False: no server of the datacenter has begun to send to the webhook."`
	Waiting    bool       `json:"waiting" doc:"Events wait to be sent."`
	Oldest     *time.Time `json:"oldest,omitempty" doc:"No event from before this moment waits; absent: no event waits."`
	Sent       *time.Time `json:"sent,omitempty" doc:"The last event that the webhook has taken was queued at this moment; absent: none is known."`
	Failing    *time.Time `json:"failing,omitempty" doc:"Requests of the answering server fail since this moment; absent: none fails."`
	Failure    string     `json:"failure,omitempty" doc:"The last failure."`
	Error      string     `json:"error,omitempty" doc:"Why the state is not known."`
}

// WebhookList holds the state of all webhooks.
type WebhookList struct {
	Webhooks []Webhook `json:"webhooks" nullable:"false"`
}

// Webhooks shows how far each webhook is behind.
func (c *Client) Webhooks(ctx context.Context) (list WebhookList, err error) {
	err = c.call(ctx, http.MethodGet, "/v1/webhooks", nil, &list)
	return list, err
}

// Replay makes a webhook get events again.
type Replay struct {
	Since      time.Time `json:"since" doc:"The webhook gets all events that were queued since this moment."`
	Datacenter string    `json:"datacenter,omitempty" doc:"Only the events of this datacenter; absent: of all."`
	Skip       bool      `json:"skip,omitempty" doc:"Events from before that wait are not sent any more."`
}

// Replayed is the result of a replay.
type Replayed struct {
	Datacenters []string `json:"datacenters" nullable:"false" doc:"The datacenters whose events are sent again; a store in one place has the empty name."`
}

// ReplayWebhook makes a webhook get events again. Status 404: there is no such webhook or datacenter.
func (c *Client) ReplayWebhook(ctx context.Context, name string, r Replay) (done Replayed, err error) {
	err = c.call(ctx, http.MethodPost, "/v1/webhooks/"+url.PathEscape(name)+"/replay", r, &done)
	return done, err
}
