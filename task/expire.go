package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/account"
	"popelago/event"
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
	// Events gets an event for each removed message. Nil: none.
	Events event.Listener
	// Now returns the time. Nil means time.Now.
	Now func() time.Time
}

// Expire returns the job that removes messages past the retention of their account or domain.
// Sessions omit such messages already; the job reclaims the space. The job also removes messages past the
// retention after the first retrieval, which sessions list until then, see retrieved.
//
// Before a removal the job reads the settings once more, from all replicas: so a longer retention,
// set anywhere, counts. A mailbox that another account has, too, see account.Shared, keeps its messages: the
// retention of either account could be too short for the other.
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
			keep: keepingOf(cfg.Keeping).orPlain(), events: cfg.Events, dir: cfg.Directory, window: cfg.Window, now: cfg.Now(),
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
	events    event.Listener     // may be nil
	dir       *account.Directory // may be nil
	window    time.Duration
	now       time.Time

	mailboxes, messages, skipped, shared, unread int
	failed                                       failures
}

func (e *expiry) report() (r Report) {
	r.add("mailboxes", int64(e.mailboxes))
	r.add("messages", int64(e.messages))
	r.add(othersShare, int64(e.skipped))
	r.add(shared, int64(e.shared))
	r.add(blocked, int64(e.unread))
	return r
}

func (e *expiry) run(ctx context.Context) error {
	if e.dir == nil {
		return e.failed.join(e.walk(ctx, func(mail.Retention) {}))
	}
	walked := false
	err := e.dir.NoteRetentions(ctx, func(found func(mail.Retention)) error {
		walked = true
		return e.walk(ctx, found)
	})
	if !walked && store.Unreached(err) && ctx.Err() == nil { // the note is one partition, and mail expires without it
		err = errors.Join(err, e.walk(ctx, func(mail.Retention) {}))
	}
	return e.failed.join(err)
}

// walk visits all accounts that can be read, and passes the own retention of each live account to found.
func (e *expiry) walk(ctx context.Context, found func(own mail.Retention)) error {
	_, err := eachReadable(ctx, e.directory.Local, e.keep, func(generations []account.Generation) error {
		for _, g := range generations {
			if g.Status != account.Live || g.Row.Kind != store.KindAccount {
				continue
			}
			found(account.OwnLeast(g.Row))
			switch {
			case !g.Retention.Ends() && !g.AfterRetrieval.Ends():
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
	e.unread = unreadParts(err)
	return err
}

// expire removes messages past a retention from one mailbox.
func (e *expiry) expire(ctx context.Context, g account.Generation) error {
	rows, _, err := e.mail.ListMessages(ctx, g.Mailbox, mail.MessageID{}, 1)
	if err != nil {
		return fmt.Errorf("task: expire: list mailbox %s: %w", g.Mailbox, err)
	}
	if len(rows) == 0 {
		return nil
	}
	oldest := rows[0].ID
	aged := oldest.Compare(e.below(g.Retention)) < 0
	retrieved, err := e.anyRetrieved(ctx, g, oldest)
	if err != nil || !aged && !retrieved {
		return err
	}
	sure, err := e.surely(ctx, g)
	if err != nil || sure == nil {
		return err
	}
	removed := e.messages
	defer func() {
		if e.messages > removed {
			e.mailboxes++
		}
	}()
	if sure.Retention.Ends() {
		n, err := removeBetween(ctx, e.mail, g.Mailbox, mail.MessageID{}, e.below(sure.Retention), reporter(e.events, event.Expired, *sure))
		if e.messages += n; err != nil {
			return err
		}
	}
	if !retrieved || !sure.AfterRetrieval.Ends() {
		return nil
	}
	return e.removeRetrieved(ctx, *sure, oldest)
}

// surely reads a generation again, from all replicas; nil if the generation is the account no more, or if
// another account has its mailbox, too.
func (e *expiry) surely(ctx context.Context, g account.Generation) (*account.Generation, error) {
	generations, err := generationsOf(ctx, e.directory.All, e.keep, g.Row.Address)
	if err != nil {
		return nil, err
	}
	for _, sure := range generations {
		if sure.Mailbox != g.Mailbox || sure.Status != account.Live {
			continue
		}
		others, err := account.Shared(ctx, e.directory.All, sure, rowsOf(generations))
		switch {
		case err != nil:
			return nil, err
		case others:
			e.shared++
			return nil, nil
		}
		return &sure, nil
	}
	return nil, nil
}

// below returns an id below all messages that a retention keeps; the zero id without an end.
func (e *expiry) below(r mail.Retention) mail.MessageID {
	if !r.Ends() {
		return mail.MessageID{}
	}
	return mail.MinMessageID(e.now.Add(-max(time.Duration(r), e.window)))
}
