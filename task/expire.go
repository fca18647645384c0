package task

import (
	"context"
	"fmt"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// ExpireConfig holds the settings of the expire job.
type ExpireConfig struct {
	// Every is the pause between two runs. Zero: only on request.
	Every time.Duration
	// After is the time from the start to the first run, also on request: NTP corrects a clock that is
	// wrong at the start within minutes.
	After time.Duration
	// Window is the in-flight window: younger messages stay, however short a retention is.
	Window time.Duration
	// Keeping is account.Directory.Keeping. Nil: the rule of a server without a policy.
	Keeping func(store.Domain) account.Keeping
	// Directory gets the retentions of all accounts, which a run reads anyway, see
	// account.Directory.NoteRetentions. May be nil.
	Directory *account.Directory
	// Now returns the time. Nil means time.Now.
	Now func() time.Time
}

// Expire returns the job that removes messages past the retention of their account or domain.
// Sessions omit such messages already; the job reclaims the space.
//
// Before a removal the job reads the settings once more, from all replicas: so a longer retention,
// set anywhere, counts.
//
// Every server reads the whole directory, and removes messages from its share of the mailboxes. So
// each run also renews the least retention of all accounts, for clients before login. A run that
// fails or is stopped does not.
func Expire(cfg ExpireConfig, st store.Store) Job {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return Job{Name: "expire", Every: cfg.Every, After: cfg.After, Run: func(ctx context.Context, _ bool) (Report, error) {
		e := expiry{
			mail: st.Mail.Local, directory: st.Directory, upkeep: st.Upkeep.Local,
			keep: keepingOf(cfg.Keeping).orPlain(), dir: cfg.Directory, window: cfg.Window, now: cfg.Now(),
		}
		if err := e.upkeep.Clock(); err != nil { // after Now: the moment read can be trusted
			return nil, fmt.Errorf("task: expire: %w", err)
		}
		err := e.run(ctx)
		return e.report(), err
	}}
}

// expiry is one run of the expire job.
type expiry struct {
	mail      store.Mail
	directory store.Levels[store.Directory]
	upkeep    store.Upkeep
	keep      keepingOf
	dir       *account.Directory // may be nil
	window    time.Duration
	now       time.Time

	mailboxes, messages, skipped int
	failed                       failures
}

func (e *expiry) report() (r Report) {
	r.add("mailboxes", int64(e.mailboxes))
	r.add("messages", int64(e.messages))
	r.add(othersShare, int64(e.skipped))
	return r
}

func (e *expiry) run(ctx context.Context) error {
	if e.dir == nil {
		return e.failed.join(e.walk(ctx, func(mail.Retention) {}))
	}
	err := e.dir.NoteRetentions(ctx, func(found func(mail.Retention)) error { return e.walk(ctx, found) })
	return e.failed.join(err)
}

// walk visits all accounts, and passes the own retention of each live account to found.
func (e *expiry) walk(ctx context.Context, found func(own mail.Retention)) error {
	return eachAddress(ctx, e.directory.Local, e.keep, once, "", "", func(generations []account.Generation) error {
		for _, g := range generations {
			if g.Status != account.Live || g.Row.Kind != store.KindAccount {
				continue
			}
			found(g.Row.Retention)
			switch {
			case !g.Retention.Ends():
				continue
			case !e.upkeep.Mine("expire/" + g.Mailbox.String()):
				e.skipped++
				continue
			}
			if err := e.failed.add(ctx, e.expire(ctx, g)); err != nil {
				return err
			}
			showProgress(ctx, e.report())
		}
		return nil
	})
}

// expire removes messages past the retention from one mailbox.
func (e *expiry) expire(ctx context.Context, g account.Generation) error {
	rows, _, err := e.mail.ListMessages(ctx, g.Mailbox, mail.MessageID{}, 1)
	if err != nil {
		return fmt.Errorf("task: expire: list mailbox %s: %w", g.Mailbox, err)
	}
	if len(rows) == 0 || rows[0].ID.Compare(e.oldest(g)) >= 0 {
		return nil
	}
	generations, err := generationsOf(ctx, e.directory.All, e.keep, g.Row.Address)
	if err != nil {
		return err
	}
	for _, sure := range generations {
		if sure.Mailbox != g.Mailbox || sure.Status != account.Live || !sure.Retention.Ends() {
			continue
		}
		n, err := removeBetween(ctx, e.mail, g.Mailbox, mail.MessageID{}, e.oldest(sure))
		if e.messages += n; n > 0 {
			e.mailboxes++
		}
		return err
	}
	return nil
}

// oldest returns an id below all messages that stay.
func (e *expiry) oldest(g account.Generation) mail.MessageID {
	return mail.MinMessageID(e.now.Add(-max(time.Duration(g.Retention), e.window)))
}
