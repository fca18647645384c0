package task

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// PurgeConfig holds the settings of the purge job.
type PurgeConfig struct {
	// Every is the pause between two runs. Zero: only on request.
	Every time.Duration
	// Late is the time for which late mail is kept: mail accepted for an account after its end, by a
	// server that did not know of the end yet.
	Late time.Duration
	// Settle is the time from the start in which no late mail is removed: NTP corrects a clock that is wrong at the
	// start within minutes.
	Settle time.Duration
	// Window is the in-flight window: younger messages stay until a later run.
	Window time.Duration
	// Events gets an event for each removed message. Nil: none.
	Events event.Listener
	// Now returns the time. Nil means time.Now.
	Now func() time.Time
	// Logger receives reports of late mail. Default: no log.
	Logger *slog.Logger
}

const (
	// purgeAgain is the time, after the removal and PurgeConfig.Late, during which each run reads a
	// mailbox again, because mail may still arrive.
	purgeAgain = 24 * time.Hour
	// purgeAll is the interval at which a run reads all mailboxes of removed accounts.
	purgeAll = 24 * time.Hour
)

// Purge returns the job that removes the messages of removed accounts. Once a day a run reads the
// mailboxes of all removed accounts, and otherwise of lately removed accounts.
//
// Late mail was acknowledged, and somebody may want it: so the job reports late mail, and keeps it
// for a time. The job also reports the mail of a displaced account, and keeps it as long as the
// newer account exists.
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
	begun := time.Now()
	known := map[mail.MailboxID]lateMail{} // result of the last run
	var whole time.Time                    // the last run over all mailboxes
	return Job{Name: "purge", Every: cfg.Every, Run: func(ctx context.Context, asked bool) (Report, error) {
		p := purge{
			PurgeConfig: cfg, mail: st.Mail.Local, directory: st.Directory.All, upkeep: st.Upkeep.Local,
			now: cfg.Now(), before: known, late: map[mail.MailboxID]lateMail{}, unvisited: maps.Clone(known),
			settled: time.Since(begun) >= cfg.Settle,
		}
		if err := p.upkeep.Clock(); err != nil { // after Now: the moment read can be trusted
			return nil, fmt.Errorf("task: purge: %w", err)
		}
		p.whole = asked || p.now.Sub(whole) >= purgeAll
		err := p.run(ctx, dir)
		if err != nil { // what the run has not reached is as before
			maps.Copy(p.late, p.unvisited)
		}
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
	whole     bool                        // read all mailboxes
	settled   bool                        // PurgeConfig.Settle is over
	before    map[mail.MailboxID]lateMail // result of the last run
	unvisited map[mail.MailboxID]lateMail // the part of before that this run has not reached

	late                         map[mail.MailboxID]lateMail
	mailboxes, messages, skipped int
	unread                       int // parts of the directory that could not be read
	failed                       failures
}

func (p *purge) report() (r Report, kept int) {
	for _, l := range p.late {
		kept += l.messages
	}
	r.add("mailboxes", int64(p.mailboxes))
	r.add("messages", int64(p.messages))
	r.add(late, int64(kept))
	r.add(othersShare, int64(p.skipped))
	r.add(blocked, int64(p.unread))
	return r, kept
}

func (p *purge) run(ctx context.Context, dir *account.Directory) error {
	err := dir.RemovedMailboxes(ctx, p.skips, func(g account.Generation) error {
		delete(p.unvisited, g.Mailbox)
		old := p.now.Sub(g.End.Time()) > p.Late+purgeAgain
		switch {
		case old && !p.whole && p.before[g.Mailbox].messages == 0:
			return nil
		case !p.upkeep.Mine("purge/" + g.Mailbox.String()):
			p.skipped++
			return nil
		}
		err := p.empty(ctx, g)
		if l, known := p.before[g.Mailbox]; err != nil && known {
			p.late[g.Mailbox] = l
		}
		soFar, _ := p.report()
		showProgress(ctx, soFar)
		return p.failed.add(ctx, err)
	})
	p.unread = unreadParts(err)
	return p.failed.join(err)
}

// empty removes old messages from the mailbox of a removed account. Before a removal it reads from
// all replicas whether the account has ended.
func (p *purge) empty(ctx context.Context, g account.Generation) error {
	rows, _, err := p.mail.ListMessages(ctx, g.Mailbox, mail.MessageID{}, 1)
	if err != nil {
		return fmt.Errorf("task: purge: list mailbox %s: %w", g.Mailbox, err)
	}
	if len(rows) == 0 {
		if _, known := p.before[g.Mailbox]; known {
			return p.note(ctx, g.Mailbox, "") // the late mail was handed over, or dropped
		}
		return nil
	}
	generations, err := generationsOf(ctx, p.directory, account.Policy{}.Keeping, g.Row.Address)
	if err != nil {
		return err
	}
	siblings := rowsOf(generations)
	for _, sure := range generations {
		if sure.Mailbox != g.Mailbox {
			continue
		}
		if shared, err := account.Shared(ctx, p.directory, sure, siblings); err != nil || shared {
			return err
		}
		switch {
		case sure.Status == account.Ended:
			return p.emptyEnded(ctx, sure)
		case sure.Status == account.Displaced:
			return p.keep(ctx, sure,
				"mail is in the mailbox of an account that another of the same address has displaced, and is kept until the address has none")
		}
	}
	return nil
}

// emptyEnded is empty for an account that has ended, as all replicas know.
func (p *purge) emptyEnded(ctx context.Context, g account.Generation) error {
	upTo := p.youngest(p.Window)
	if upTo.Compare(g.End) > 0 {
		upTo = g.End
	}
	n, err := removeBetween(ctx, p.mail, g.Mailbox, mail.MessageID{}, upTo, reporter(p.Events, event.Purged, g))
	if p.messages += n; n > 0 {
		p.mailboxes++
	}
	if err != nil {
		return err
	}
	over := 0
	if p.settled {
		over, err = removeBetween(ctx, p.mail, g.Mailbox, g.End, p.youngest(max(p.Late, p.Window)), reporter(p.Events, event.Purged, g))
	}
	p.messages += over
	if over > 0 {
		if _, known := p.before[g.Mailbox]; !known {
			p.before[g.Mailbox] = lateMail{} // reported by a different server
		}
		p.Logger.Warn("mail that was accepted for an account that had ended was removed",
			"address", g.Row.Address.String(), "mailbox", g.Mailbox.String(), "messages", over)
	}
	if err != nil {
		return err
	}
	return p.keep(ctx, g,
		"mail was accepted for an account that had ended, and is kept for a while: popelago late list shows it", "for", p.Late)
}

// youngest returns an id above all messages that are older than age.
func (p *purge) youngest(age time.Duration) mail.MessageID {
	return mail.MinMessageID(p.now.Add(-age))
}
