package trace

import (
	"context"
	"time"

	"popelago/event"
	"popelago/store"
)

// expireEvery is the interval at which Expire looks for days that are over.
const expireEvery = time.Hour

// Expire ends the days of all journals that are over, also of a journal that is no longer kept or gets no records, until the
// end of ctx. Otherwise a data folder ends them with the next record. queue is the time for which events for webhooks are
// kept.
func (k *Keeper) Expire(ctx context.Context, queue time.Duration) {
	for {
		k.expire(ctx, store.JournalTrace, k.cfg.Trace.Keep)
		k.expire(ctx, store.JournalAudit, k.cfg.Audit.Keep)
		k.expire(ctx, store.JournalQueue, queue)
		if !event.Pause(ctx, expireEvery) {
			return
		}
	}
}

func (k *Keeper) expire(ctx context.Context, name store.JournalName, keep time.Duration) {
	writing, cancel := context.WithTimeout(ctx, k.cfg.Timeout)
	defer cancel()
	if err := k.store.AddRecords(writing, name, nil, keep); err != nil && ctx.Err() == nil {
		k.cfg.Logger.Debug("the days of a journal that are over stay for now", "journal", string(name), "cause", err)
	}
}
