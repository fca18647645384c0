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
	// Every is the pause between two runs. Zero: only when asked for.
	Every time.Duration
	// After is how long after the start the job runs for the first time: a clock that is wrong
	// then is put right by NTP within minutes. Also if somebody asks for it.
	After time.Duration
	// Window is the in-flight window: younger messages stay, however short a retention is.
	Window time.Duration
	// Directory learns the retentions of all accounts, which a run reads anyway, see
	// account.Directory.NoteRetentions. Nil: nobody does.
	Directory *account.Directory
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
}

// Expire is the job that removes messages that are older than the retention of their account,
// or else of its domain. Sessions do not list them any more anyway; this gives the space back.
//
// Where there is something to be removed the settings are read once more, from all replicas: a
// retention that was made longer, wherever that was, counts.
//
// Every server reads the whole directory and leaves what falls to others alone. So each run also
// renews the least retention of all accounts, for those who have not logged in yet. A run that
// gives up, or is stopped, does not.
func Expire(cfg ExpireConfig, st store.Store) Job {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	return Job{Name: "expire", Every: cfg.Every, After: cfg.After, Run: func(ctx context.Context, _ bool) (Report, error) {
		e := expiry{
			mail: st.Mail.Local, directory: st.Directory, upkeep: st.Upkeep.Local,
			dir: cfg.Directory, window: cfg.Window, now: cfg.Now(),
		}
		if err := e.upkeep.Clock(); err != nil { // behind reading it: that moment can be trusted
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
	dir       *account.Directory // nil: nobody learns the retentions
	window    time.Duration
	now       time.Time

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
	if e.dir == nil {
		return e.failed.join(e.walk(ctx, func(time.Duration) {}))
	}
	err := e.dir.NoteRetentions(ctx, func(found func(time.Duration)) error { return e.walk(ctx, found) })
	return e.failed.join(err)
}

// walk goes through all accounts, and passes the own retention of each live one to found.
func (e *expiry) walk(ctx context.Context, found func(own time.Duration)) error {
	return eachOwner(ctx, e.directory.Local, once, "", "", func(owners []owner) error {
		for _, o := range owners {
			if o.live {
				found(o.own)
			}
			switch {
			case !o.live || o.retention == 0:
				continue
			case !e.upkeep.Mine("expire/" + o.mailbox.String()):
				e.elsewhere++
				continue
			}
			if err := e.failed.add(ctx, e.expire(ctx, o)); err != nil {
				return err
			}
		}
		return nil
	})
}

// expire removes what is too old from one mailbox.
func (e *expiry) expire(ctx context.Context, o owner) error {
	rows, _, err := e.mail.ListMessages(ctx, o.mailbox, mail.MessageID{}, 1)
	if err != nil {
		return fmt.Errorf("task: expire: list mailbox %s: %w", o.mailbox, err)
	}
	if len(rows) == 0 || rows[0].ID.Compare(e.oldest(o)) >= 0 {
		return nil
	}
	owners, err := ownersOf(ctx, e.directory.All, o.address)
	if err != nil {
		return err
	}
	for _, sure := range owners {
		if sure.mailbox != o.mailbox || !sure.live || sure.retention == 0 {
			continue
		}
		n, err := removeBetween(ctx, e.mail, o.mailbox, mail.MessageID{}, e.oldest(sure))
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
