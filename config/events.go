package config

import (
	"time"

	"popelago/store"
	"popelago/webhook"
)

// eventsSettings returns the part of the table about the queue of events and the webhooks.
func eventsSettings(c *Config) []setting {
	e := &c.Events
	return []setting{
		{"events.enabled", boolean(&e.Enabled),
			"Keeps a queue of events for \"popelago event list\" and for webhooks. Off by default, because the events are personal data, as trace.enabled."},
		{"events.keep", duration(&e.Keep, time.Hour, store.MaxNoteAge),
			"Time that an event is kept, sent or not. A webhook that is down for longer misses events."},
		{"events.kinds", &list{p: &e.Kinds, what: "a kind of events such as \"accepted\"", check: webhook.CheckKind},
			"Kinds of the events in the queue: " + webhook.AllKinds() + "."},
		{"events.domains", &list{p: &e.Domains, what: "a domain such as \"example.org\"", check: checkDomain},
			"Domains whose events enter the queue. None: all domains."},
		{"events.webhooks", &list{p: &e.Webhooks, what: `a webhook such as "crm=https://hooks.example.org/mail"`, check: checkWebhook, secret: true},
			"Webhooks, each NAME=URL: the servers send each event of the queue there by HTTP POST, signed, until the webhook answers 2xx. A new name gets the events from its first start on. Needs events.enabled and events.webhook_keys."},
		{"events.webhook_keys", path(&e.Keys, optional),
			"File with the keys of the webhooks, a line \"NAME KEY\" for each: KEY is base64 of 24 to 64 octets, such as of head -c 32 /dev/urandom | base64. A file that every user may read is refused."},
		{"events.batch", integer(&e.Batch, 1, 1000),
			"Most events of a request."},
		{"events.timeout", duration(&e.Timeout, 100*time.Millisecond, 5*time.Minute),
			"Time for a webhook to answer a request."},
		{"events.retry_max", duration(&e.RetryMax, time.Second, time.Hour),
			"Longest pause between two requests with the same events. The pauses grow from one second."},
		{"events.settle", duration(&e.Settle, 0, time.Minute).zeroIsOff(),
			"Time for which an event waits for events of other servers of the datacenter, so that the events of a maildrop stay in order. With store.engine = \"embedded\" no event waits."},
		{"events.flush_every", duration(&e.FlushEvery, 10*time.Millisecond, time.Minute),
			"Longest time that an event waits before it enters the queue. A crash loses the events that wait."},
		{"events.max_waiting", integer(&e.Waiting, 1000, 10_000_000),
			"Most events that wait to enter the queue, about 500 octets each. Further events are dropped and counted (popelago_webhook_dropped_total): events never delay mail."},
	}
}

func checkWebhook(text string) error {
	_, err := webhook.ParseTarget(text)
	return err
}

// checkEvents reports problems of the section [events] as a whole.
func (c *Config) checkEvents(fail func(key, text string, depends ...string)) {
	names := map[string]bool{}
	for _, text := range c.Events.Webhooks {
		t, err := webhook.ParseTarget(text)
		if err == nil && names[t.Name] {
			fail("events.webhooks", "two webhooks have the name "+t.Name)
		}
		names[t.Name] = true
	}
	switch {
	case len(names) == 0:
	case !c.Events.Enabled:
		fail("events.webhooks", "needs events.enabled = true", "events.enabled")
	case c.Events.Keys == "":
		fail("events.webhooks", "needs the keys of the webhooks: set events.webhook_keys", "events.webhook_keys")
	}
}
