package task

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// PurgeConfig holds the settings of the purge job.
type PurgeConfig struct {
	// Every is the pause between two runs. Zero: only when asked for.
	Every time.Duration
	// Late is for how long late mail is kept: what was accepted for an account that had
	// ended, by a server that had not heard of that yet.
	Late time.Duration
	// Window is the in-flight window: younger messages stay for now.
	Window time.Duration
	// Now tells the time. Nil means time.Now.
	Now func() time.Time
	// Logger takes what becomes of late mail. Default: nothing is logged.
	Logger *slog.Logger
}

const (
	// purgeAgain is for how long after its removal, and the time that late mail is kept, a
	// mailbox is looked at again, because mail may still arrive in it.
	purgeAgain = 24 * time.Hour
	// purgeAll is how often all mailboxes of removed accounts are looked at.
	purgeAll = 24 * time.Hour
)

// Purge is the job that removes the messages of removed accounts. Now and then it looks at all
// of them, and otherwise at those removed lately.
//
// Late mail was acknowledged, so somebody may want it: it is reported, and kept for a while. So is
// that of an account which had to give way to another of its address; it stays as long as that.
func Purge(cfg PurgeConfig, dir *account.Directory, st store.Store, reg prometheus.Registerer) Job {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	kept := prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "popelago_task_late_messages", Help: "Late mail: messages accepted for accounts that had ended or were displaced, kept for tasks.late_mail.",
	})
	if reg != nil {
		reg.MustRegister(kept)
	}
	known := map[mail.MailboxID]lateMail{} // as the last run found it
	var whole time.Time                    // when all were last looked at
	return Job{Name: "purge", Every: cfg.Every, Run: func(ctx context.Context, asked bool) (Report, error) {
		p := purge{
			PurgeConfig: cfg, mail: st.Mail.Local, directory: st.Directory.All, upkeep: st.Upkeep.Local,
			now: cfg.Now(), before: known, late: map[mail.MailboxID]lateMail{},
		}
		if err := p.upkeep.Clock(); err != nil { // behind reading it: that moment can be trusted
			return nil, fmt.Errorf("task: purge: %w", err)
		}
		p.whole = asked || p.now.Sub(whole) >= purgeAll
		err := p.run(ctx, dir)
		if known = p.late; p.whole && err == nil {
			whole = p.now
		}
		report, n := p.report()
		kept.Set(float64(n))
		return report, err
	}}
}

// purge is one run of the purge job.
type purge struct {
	PurgeConfig
	mail      store.Mail
	directory store.Directory // at the level All
	upkeep    store.Upkeep
	now       time.Time
	whole     bool                        // look at all mailboxes
	before    map[mail.MailboxID]lateMail // as the last run found it

	late                           map[mail.MailboxID]lateMail
	mailboxes, messages, elsewhere int
	failed                         failures
}

func (p *purge) report() (r Report, kept int) {
	for _, l := range p.late {
		kept += l.messages
	}
	r.add("mailboxes", int64(p.mailboxes))
	r.add("messages", int64(p.messages))
	r.add(late, int64(kept))
	r.add(elsewhere, int64(p.elsewhere))
	return r, kept
}

func (p *purge) run(ctx context.Context, dir *account.Directory) error {
	err := dir.RemovedMailboxes(ctx, p.skips, func(m account.RemovedMailbox) error {
		old := p.now.Sub(m.Removed.Time()) > p.Late+purgeAgain
		switch {
		case old && !p.whole && p.before[m.Mailbox].messages == 0:
			return nil
		case !p.upkeep.Mine("purge/" + m.Mailbox.String()):
			p.elsewhere++
			return nil
		}
		err := p.empty(ctx, m)
		if l, known := p.before[m.Mailbox]; err != nil && known {
			p.late[m.Mailbox] = l
		}
		return p.failed.add(ctx, err)
	})
	return p.failed.join(err)
}

// empty removes what is old enough from the mailbox of a removed account. Where there is
// something to be removed all replicas are asked whether the account has ended.
func (p *purge) empty(ctx context.Context, m account.RemovedMailbox) error {
	rows, _, err := p.mail.ListMessages(ctx, m.Mailbox, mail.MessageID{}, 1)
	if err != nil {
		return fmt.Errorf("task: purge: list mailbox %s: %w", m.Mailbox, err)
	}
	if len(rows) == 0 {
		if _, known := p.before[m.Mailbox]; known {
			return p.note(ctx, m.Mailbox, "") // it was handed over, or dropped
		}
		return nil
	}
	owners, err := ownersOf(ctx, p.directory, m.Address)
	if err != nil {
		return err
	}
	for _, o := range owners {
		switch {
		case o.mailbox != m.Mailbox || o.live:
		case !o.removed.IsZero():
			return p.emptySure(ctx, o)
		case m.Displaced:
			return p.keep(ctx, o, mail.MessageID{},
				"mail is in the mailbox of an account that another of the same address has displaced, and is kept until the address has none")
		}
	}
	return nil
}

// emptySure is empty for an account that has ended.
func (p *purge) emptySure(ctx context.Context, o owner) error {
	upTo := p.youngest(p.Window)
	if upTo.Compare(o.removed) > 0 {
		upTo = o.removed
	}
	n, err := removeBetween(ctx, p.mail, o.mailbox, mail.MessageID{}, upTo)
	if p.messages += n; n > 0 {
		p.mailboxes++
	}
	if err != nil {
		return err
	}
	over, err := removeBetween(ctx, p.mail, o.mailbox, o.removed, p.youngest(max(p.Late, p.Window)))
	p.messages += over
	if over > 0 {
		if _, known := p.before[o.mailbox]; !known {
			p.before[o.mailbox] = lateMail{} // by a server before this one
		}
		p.Logger.Warn("mail that was accepted for an account that had ended was removed",
			"address", o.address.String(), "mailbox", o.mailbox.String(), "messages", over)
	}
	if err != nil {
		return err
	}
	return p.keep(ctx, o, o.removed,
		"mail was accepted for an account that had ended, and is kept for a while: popelago late list shows it", "for", p.Late)
}

// youngest is an id above all messages that are older than age.
func (p *purge) youngest(age time.Duration) mail.MessageID {
	return mail.MinMessageID(p.now.Add(-age))
}
