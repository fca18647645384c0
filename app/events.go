package app

import (
	"context"
	"fmt"
	"os"
	"time"

	"popelago/admin"
	"popelago/config"
	"popelago/event"
	"popelago/webhook"
)

// webhooks holds the queue of events and the parts around it.
type webhooks struct {
	outbox *webhook.Outbox
	sender *webhook.Sender
	queue  *webhook.Queue
}

// buildWebhooks makes the queue of events and the sender.
func (a *App) buildWebhooks() error {
	targets, err := targets(a.cfg)
	if err != nil {
		return err
	}
	cfg := a.cfg.Events.Config
	cfg.Targets, cfg.Version, cfg.Form = targets, Version(), func(e event.Event) any { return admin.EventOf(e) }
	cfg.Alone = a.cfg.Store.Engine == config.EngineEmbedded
	cfg.Place, cfg.Logger = a.place(), a.logger
	if a.hooks.sender, err = webhook.NewSender(cfg, a.engine.store, a.registry); err != nil {
		return err
	}
	if a.hooks.outbox, err = webhook.NewOutbox(cfg, a.engine.store, a.registry, a.hooks.sender.Wake); err != nil {
		return err
	}
	a.hooks.queue = webhook.NewQueue(cfg, a.engine.store, a.hooks.outbox)
	return nil
}

// targets returns the webhooks with their keys. The error is a SettingError.
func targets(cfg config.Config) (all []webhook.Target, err error) {
	for _, text := range cfg.Events.Webhooks {
		t, err := webhook.ParseTarget(text)
		if err != nil {
			return nil, asSetting(fmt.Errorf("events.webhooks: %w", err))
		}
		all = append(all, t)
	}
	if len(all) == 0 {
		return nil, nil
	}
	file := cfg.Events.Keys
	if err := config.CheckPrivate(file); err != nil {
		return nil, asSetting(fmt.Errorf("events.webhook_keys: %w", err))
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, asSetting(fmt.Errorf("events.webhook_keys: %w", err))
	}
	if all, err = webhook.WithKeys(all, data); err != nil {
		return nil, asSetting(fmt.Errorf("events.webhook_keys: %s: %w", file, err))
	}
	return all, nil
}

// eventsPatience bounds the wait for the queue at the end.
const eventsPatience = 5 * time.Second

func (a *App) closeWebhooks(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), eventsPatience)
	defer cancel()
	if a.hooks.outbox != nil { // see abandon
		a.hooks.outbox.Close(ctx)
	}
	a.hooks.sender.Close(ctx)
	return nil
}
