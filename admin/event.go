package admin

import (
	"context"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"popelago/adminclient"
	"popelago/event"
	"popelago/mail"
	"popelago/webhook"
)

// Webhooks is the state of the webhooks of this server.
type Webhooks struct {
	*webhook.Queue
	// Failures is webhook.Sender.Failures.
	Failures func() map[string]webhook.Failure
}

func (a *api) addEvents() {
	type eventQuery struct {
		Since   time.Time `query:"since" doc:"Only events queued since this moment; absent: all that are kept."`
		Until   time.Time `query:"until" doc:"Only events queued before this moment: the queued of the last event of the page before."`
		Kind    string    `query:"kind" maxLength:"40" doc:"Only events of this kind."`
		Address string    `query:"address" maxLength:"1000" doc:"Only events of this account."`
		Limit   int       `query:"limit" minimum:"1" maximum:"1000" default:"200" doc:"Most events of the answer."`
	}
	type list struct{ Body adminclient.QueueList }
	register(a, huma.Operation{
		OperationID: "list-events", Method: http.MethodGet, Path: "/v1/events",
		Summary:     "List the queue of events that webhooks get",
		Description: "The answer has the events of all datacenters, sent or not, in the domains that the caller reaches. The events of the last seconds at other servers may be missing.",
	}, func(ctx context.Context, in *eventQuery) (*list, error) {
		out, err := a.listEvents(ctx, webhook.Range{Since: in.Since, Until: in.Until, Limit: in.Limit}, in.Kind, in.Address)
		if err != nil {
			return nil, err
		}
		return &list{out}, nil
	})

	type hooks struct{ Body adminclient.WebhookList }
	register(a, huma.Operation{
		OperationID: "list-webhooks", Method: http.MethodGet, Path: "/v1/webhooks",
		Summary:     "Show how far each webhook is behind, in each datacenter",
		Description: "The servers of each datacenter send the events of the datacenter. A failure is the failure that the answering server has met itself.",
	}, func(ctx context.Context, _ *struct{}) (*hooks, error) {
		return &hooks{a.listWebhooks(ctx)}, nil
	})

	type replay struct {
		Name string `path:"name" maxLength:"40" doc:"The name of the webhook."`
		Body adminclient.Replay
	}
	type replayed struct{ Body adminclient.Replayed }
	register(a, huma.Operation{
		OperationID: "replay-webhook", Method: http.MethodPost, Path: "/v1/webhooks/{name}/replay",
		Summary:     "Make a webhook get events again",
		Description: "The webhook gets all events that are kept and were queued since a moment, in their order. Events from before that wait are sent, too, unless skip is set.",
	}, func(ctx context.Context, in *replay) (*replayed, error) {
		done, err := a.cfg.Webhooks.Replay(ctx, in.Name, in.Body.Datacenter, in.Body.Since, in.Body.Skip)
		if err != nil {
			return nil, err
		}
		return &replayed{adminclient.Replayed{Datacenters: done}}, nil
	})
}

// listEvents lists events of the queue that the caller may see. Errors: mail.ErrBadAddress, those of package store.
func (a *api) listEvents(ctx context.Context, in webhook.Range, kind, address string) (out adminclient.QueueList, err error) {
	if address != "" {
		parsed, err := mail.ParseAddress(address)
		if err != nil {
			return out, err
		}
		address = parsed.Canonical().String()
	}
	c := callerOf(ctx)
	may := visibleTo(c)
	found, err := a.cfg.Webhooks.List(ctx, in, func(e event.Event) bool {
		return (kind == "" || kind == string(e.Kind)) && (address == "" || address == e.Address) && may(e)
	})
	if err != nil {
		return out, err
	}
	enabled, kept := a.cfg.Webhooks.Enabled()
	out = adminclient.QueueList{
		Events: make([]adminclient.QueuedEvent, len(found.Entries)), More: found.More, Partial: found.Partial, Damaged: damagedFor(c, found.Damaged), Enabled: enabled, Kept: kept.String(),
	}
	for i, e := range found.Entries {
		out.Events[i] = adminclient.QueuedEvent{ID: e.ID, Queued: e.Queued.UTC(), Event: EventOf(e.Event)}
	}
	return out, nil
}

func (a *api) listWebhooks(ctx context.Context) adminclient.WebhookList {
	out := adminclient.WebhookList{Webhooks: []adminclient.Webhook{}}
	failures := a.cfg.Webhooks.Failures()
	for _, s := range a.cfg.Webhooks.Statuses(ctx) {
		w := adminclient.Webhook{Name: s.Name, Datacenter: s.Datacenter, Began: s.Began, Waiting: s.Waiting, Sent: moment(s.Sent)}
		if s.Waiting {
			w.Oldest = moment(s.Oldest)
		}
		if s.Err != nil {
			_, w.Error = classify(s.Err)
		}
		if f := failures[s.Name]; !f.Since.IsZero() && s.Datacenter == a.cfg.Webhooks.Datacenter() {
			w.Failing, w.Failure = moment(f.Since), f.Cause
		}
		out.Webhooks = append(out.Webhooks, w)
	}
	return out
}
