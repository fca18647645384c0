package delivery

import (
	"sync"
	"time"

	"popelago/event"
	"popelago/mail"
)

// Bounds of the events about recipients over quota at RCPT. Strangers cause such refusals at any rate, and a sender repeats
// a refused RCPT for days.
const (
	// overQuotaEvery is the time with at most one event about a mailbox.
	overQuotaEvery = 15 * time.Minute
	// overQuotaMost bounds the mailboxes with an event in a pause. Further mailboxes have no event.
	overQuotaMost = 10_000
)

// overQuotas notes the mailboxes with an event. Safe for concurrent use.
type overQuotas struct {
	mu    sync.Mutex
	began time.Time
	seen  map[mail.MailboxID]struct{}
}

// first notes a refusal, and reports whether the refusal is the first of its mailbox in the present overQuotaEvery.
func (o *overQuotas) first(mailbox mail.MailboxID, now time.Time) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if age := now.Sub(o.began); o.seen == nil || age < 0 || age >= overQuotaEvery {
		o.began, o.seen = now, map[mail.MailboxID]struct{}{}
	}
	if _, known := o.seen[mailbox]; known || len(o.seen) >= overQuotaMost {
		return false
	}
	o.seen[mailbox] = struct{}{}
	return true
}

// reportOver reports recipients that RCPT refused because of a quota.
func (d *Deliverer) reportOver(e mail.Envelope, over []mail.Recipient, size int64, cause error) {
	if d.cfg.Events == nil {
		return
	}
	for _, r := range over {
		if !d.overQuotas.first(r.Mailbox, d.cfg.Now()) {
			continue
		}
		about := aboutEnvelope(e)
		about.Kind, about.Size, about.Cause = event.OverQuota, size, mail.LogText(cause.Error())
		about.Mailbox, about.Address, about.Recipient = r.Mailbox, accountOf(r), recipientOf(r)
		d.cfg.Events.Happened(about)
	}
}
