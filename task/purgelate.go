package task

import (
	"context"
	"fmt"
	"strings"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// othersReport is the time for which only servers of the datacenter that accepted late mail report
// it. Afterwards every server does, in case that no server is left in the datacenter.
const othersReport = time.Hour

// lateMail is the late mail of one mailbox.
type lateMail struct {
	messages int
	domain   string
	reported lateReport
}

// lateReport is the reported late mail of a mailbox. Servers share the report as a text under
// lateNote:
//
//	12 4f2c3d00-c96b-11f0-8000-0123456789ab       count of messages, id of the newest
type lateReport struct {
	messages int
	newest   mail.MessageID
}

func lateNote(mailbox mail.MailboxID) string { return "late/" + mailbox.String() }

func (r lateReport) String() string { return fmt.Sprintf("%d %s", r.messages, r.newest) }

// parseLateReport undoes String. The result for an unreadable text is the zero value.
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

// covers reports whether r includes all late mail of other.
func (r lateReport) covers(other lateReport) bool {
	return other.messages <= r.messages && other.newest.Compare(r.newest) <= 0
}

// keep counts the late mail of a generation and reports it unless a report was made before. The
// servers of a cluster report late mail once: in each datacenter one server reads a mailbox
// (store.WorkShare), servers of the accepting datacenter report first, and a note tells all
// servers of the report. A crash between report and note repeats the report.
func (p *purge) keep(ctx context.Context, g account.Generation, text string, args ...any) error {
	var found lateReport // for this server to report
	kept := 0
	err := eachBehind(ctx, p.mail, g.Mailbox, g.LateBehind(), func(m mail.Message) error {
		kept++
		if m.Origin == p.mail.Origin() || p.now.Sub(m.ID.Time()) > othersReport {
			found.messages, found.newest = found.messages+1, m.ID
		}
		return nil
	})
	if err != nil {
		return err
	}
	before, known := p.before[g.Mailbox]
	if kept == 0 {
		if known {
			return p.note(ctx, g.Mailbox, "")
		}
		return nil
	}
	l := lateMail{messages: kept, domain: g.Row.Address.Domain, reported: before.reported}
	defer func() { p.late[g.Mailbox] = l }()
	if found.messages == 0 || l.reported.covers(found) {
		return nil
	}
	noted, err := p.upkeep.Progress(ctx, lateNote(g.Mailbox))
	if err != nil {
		return fmt.Errorf("task: purge: read the report of late mail of mailbox %s: %w", g.Mailbox, err)
	}
	if l.reported = parseLateReport(noted); l.reported.covers(found) {
		return nil
	}
	p.Logger.With("address", g.Row.Address.String(), "mailbox", g.Mailbox.String(), "messages", kept).Warn(text, args...)
	l.reported = found
	return p.note(ctx, g.Mailbox, found.String())
}

// note stores the report of a mailbox for the other servers.
func (p *purge) note(ctx context.Context, mailbox mail.MailboxID, text string) error {
	if err := p.upkeep.SetProgress(ctx, lateNote(mailbox), text); err != nil {
		return fmt.Errorf("task: purge: note the report of late mail of mailbox %s: %w", mailbox, err)
	}
	return nil
}

// skips reports whether this run may omit a removed domain: its removal is so long ago that mail can
// only arrive from a datacenter that was cut off. A run over all mailboxes comes once a day.
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
