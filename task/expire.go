package task

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// ExpireConfig holds the settings of the expire job.
type ExpireConfig struct {
	// Every is the pause between two runs. Zero: only when asked for.
	Every time.Duration
	// After is how long after the start the job runs for the first time: a clock that is wrong
	// then is put right by NTP within minutes. Also if somebody asks for it.
	After time.Duration
	// Window is the in-flight window: younger messages stay, however short a retention is.
	Window time.Duration
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Expire is the job that removes messages that are older than the retention of their account,
// or else of its domain. Sessions do not list them any more anyway; this gives the space back.
//
// Where there is something to be removed the settings are read once more, from all replicas: a
// retention that was made longer, wherever that was, counts.
func Expire(cfg ExpireConfig, st store.Store) Job {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return Job{Name: "expire", Every: cfg.Every, After: cfg.After, Run: func(ctx context.Context, _ bool) (Report, error) {
		e := expiry{st: st, window: cfg.Window, now: cfg.Now()}
		if err := st.Clock(); err != nil { // behind reading it: that moment can be trusted
			return nil, fmt.Errorf("task: expire: %w", err)
		}
		err := e.run(ctx)
		return e.report(), err
	}}
}

// expiry is one run of the expire job.
type expiry struct {
	st     store.Store
	window time.Duration
	now    time.Time

	mailboxes, messages, elsewhere int
	failed                         failures
}

func (e *expiry) report() (r Report) {
	r.add("mailboxes", int64(e.mailboxes))
	r.add("messages", int64(e.messages))
	r.add(elsewhere, int64(e.elsewhere))
	return r
}

func (e *expiry) run(ctx context.Context) error {
	err := eachOwner(ctx, e.st, once, "", "", func(owners []owner) error {
		for _, o := range owners {
			switch {
			case !o.live || o.retention == 0:
				continue
			case !e.st.Mine("expire/" + o.mailbox.String()):
				e.elsewhere++
				continue
			}
			if err := e.failed.add(ctx, e.expire(ctx, o)); err != nil {
				return err
			}
		}
		return nil
	})
	return e.failed.join(err)
}

// expire removes what is too old from one mailbox.
func (e *expiry) expire(ctx context.Context, o owner) error {
	rows, _, err := e.st.ListMessages(ctx, o.mailbox, mail.MessageID{}, 1)
	if err != nil {
		return fmt.Errorf("task: expire: list mailbox %s: %w", o.mailbox, err)
	}
	if len(rows) == 0 || rows[0].ID.Compare(e.oldest(o)) >= 0 {
		return nil
	}
	owners, err := ownersOf(ctx, e.st.At(store.LevelAll), o.address)
	if err != nil {
		return err
	}
	for _, sure := range owners {
		if sure.mailbox != o.mailbox || !sure.live || sure.retention == 0 {
			continue
		}
		n, err := removeBetween(ctx, e.st, o.mailbox, mail.MessageID{}, e.oldest(sure))
		if e.messages += n; n > 0 {
			e.mailboxes++
		}
		return err
	}
	return nil
}

// oldest is an id below all messages that stay.
func (e *expiry) oldest(o owner) mail.MessageID {
	return mail.MinMessageID(e.now.Add(-max(o.retention, e.window)))
}
