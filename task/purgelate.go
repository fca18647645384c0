package task

import (
	"context"
	"fmt"
	"strings"
	"time"

	"popelago/mail"
	"popelago/store"
)

// othersReport is how long late mail is left to the servers of the datacenter that accepted it.
// Then any other reports it, in case that nobody is left there.
const othersReport = time.Hour

// lateMail is the late mail of one mailbox.
type lateMail struct {
	messages int
	domain   string
	reported lateReport
}

// lateReport says what late mail of a mailbox was reported. Servers share it as a text under
// lateNote:
//
//	12 4f2c3d00-c96b-11f0-8000-0123456789ab       count of messages, id of the newest
type lateReport struct {
	messages int
	newest   mail.MessageID
}

func lateNote(mailbox mail.MailboxID) string { return "late/" + mailbox.String() }

func (r lateReport) String() string { return fmt.Sprintf("%d %s", r.messages, r.newest) }

// parseLateReport undoes String; an unreadable text is no report.
func parseLateReport(text string) (r lateReport) {
	count, newest, _ := strings.Cut(text, " ")
	id, err := mail.ParseMessageID(newest)
	if err != nil {
		return lateReport{}
	}
	if _, err := fmt.Sscan(count, &r.messages); err != nil {
		return lateReport{}
	}
	r.newest = id
	return r
}

// covers reports whether all of other was reported with r.
func (r lateReport) covers(other lateReport) bool {
	return other.messages <= r.messages && other.newest.Compare(r.newest) <= 0
}

// keep counts the messages of a mailbox behind an id, and reports them unless that was done. The
// servers of a cluster report late mail once: in each datacenter one of them looks at a mailbox
// (store.WorkShare), mail is left to the datacenter that accepted it for a while, and what was
// reported is noted for all. A crash between report and note repeats the report.
func (p *purge) keep(ctx context.Context, o owner, after mail.MessageID, text string, args ...any) error {
	var found lateReport // what falls to this server
	kept := 0
	err := eachBehind(ctx, p.mail, o.mailbox, after, func(m mail.Message) {
		kept++
		if m.Origin == p.mail.Origin() || p.now.Sub(m.ID.Time()) > othersReport {
			found.messages, found.newest = found.messages+1, m.ID
		}
	})
	if err != nil {
		return err
	}
	before, known := p.before[o.mailbox]
	if kept == 0 {
		if known {
			return p.note(ctx, o.mailbox, "")
		}
		return nil
	}
	l := lateMail{messages: kept, domain: o.address.Domain, reported: before.reported}
	defer func() { p.late[o.mailbox] = l }()
	if found.messages == 0 || l.reported.covers(found) {
		return nil
	}
	noted, err := p.upkeep.Progress(ctx, lateNote(o.mailbox))
	if err != nil {
		return fmt.Errorf("task: purge: read what was reported of mailbox %s: %w", o.mailbox, err)
	}
	if l.reported = parseLateReport(noted); l.reported.covers(found) {
		return nil
	}
	p.Logger.With("address", o.address.String(), "mailbox", o.mailbox.String(), "messages", kept).Warn(text, args...)
	l.reported = found
	return p.note(ctx, o.mailbox, found.String())
}

// note keeps what was reported of a mailbox for the other servers.
func (p *purge) note(ctx context.Context, mailbox mail.MailboxID, text string) error {
	if err := p.upkeep.SetProgress(ctx, lateNote(mailbox), text); err != nil {
		return fmt.Errorf("task: purge: note what was reported of mailbox %s: %w", mailbox, err)
	}
	return nil
}

// skips reports whether a removed domain needs no look in this run: it was removed so long ago
// that mail cannot come any more but from a datacenter that was cut off. A look at all comes
// once a day.
func (p *purge) skips(d store.RemovedDomain) bool {
	if p.whole || d.Since.IsZero() || p.now.Sub(d.Since) <= p.Late+purgeAgain {
		return false
	}
	for _, l := range p.before {
		if l.domain == d.Name {
			return false
		}
	}
	return true
}
