package trace

import (
	"context"
	"encoding/hex"
	"slices"
	"strings"
	"time"

	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// Filter says whether a caller may see an event.
type Filter func(event.Event) bool

// Enabled reports whether the server keeps records of a journal, and for how long.
func (r *Reader) Enabled(j store.JournalName) (bool, time.Duration) {
	if j == store.JournalAudit {
		return r.cfg.Audit.Enabled, r.cfg.Audit.Keep
	}
	return r.cfg.Trace.Enabled, r.cfg.Trace.Keep
}

// Account finds the mail and the logins of an account in the trace. address is canonical.
func (r *Reader) Account(ctx context.Context, address string, in Range, may Filter) (Answer, error) {
	return r.read(ctx, store.JournalTrace, []string{keyAddress(address), keyLogins(address)}, in, may)
}

// HeaderID finds messages in the trace by a field Message-ID in the form of event.HeaderID. The answer has the
// whole story of each message, see Message, of up to maxStories messages. A page may have more events than
// Range.Limit.
func (r *Reader) HeaderID(ctx context.Context, id string, in Range, may Filter) (Answer, error) {
	a, err := r.read(ctx, store.JournalTrace, []string{keyHeader(id)}, in, may)
	if err != nil || len(a.Events) == 0 {
		return a, err
	}
	var ids []mail.UIDL
	for _, e := range a.Events {
		if id := uniqueID(e); !e.Message.IsZero() && !slices.Contains(ids, id) {
			ids = append(ids, id)
		}
	}
	if len(ids) > maxStories {
		return a, nil
	}
	a.Events = slices.DeleteFunc(a.Events, func(e event.Event) bool { return !e.Message.IsZero() })
	for _, id := range ids {
		story, err := r.UIDL(ctx, id, in, may)
		if err != nil {
			return a, err
		}
		a.Events, a.Partial, a.Damaged = append(a.Events, story.Events...), a.Partial || story.Partial, a.Damaged+story.Damaged
		if a.Next, err = newer(a.Next, story.Next); err != nil {
			return a, err
		}
	}
	if err := a.cut(); err != nil {
		return a, err
	}
	sortEvents(a.Events)
	return a, nil
}

// newer returns the newer of two positions; empty positions are older than all others.
func newer(a, b string) (string, error) {
	first, err := parsePosition(a)
	if err != nil {
		return "", err
	}
	second, err := parsePosition(b)
	if err != nil {
		return "", err
	}
	if a == "" || b != "" && compareRows(second, first) < 0 {
		return b, nil
	}
	return a, nil
}

// cut drops the events older than Next: the next page has them. Logins stay, since no next page of a story
// has logins.
func (a *Answer) cut() error {
	next, err := parsePosition(a.Next)
	if err != nil || a.Next == "" {
		return err
	}
	a.Events = slices.DeleteFunc(a.Events, func(e event.Event) bool {
		return e.Kind != event.LoggedIn && e.Time.Before(next.At)
	})
	return nil
}

// maxStories bounds the messages whose whole stories one answer has.
const maxStories = 5

// uniqueID returns the unique-id of the message of an event.
func uniqueID(e event.Event) mail.UIDL { return mail.Message{ID: e.Message, UIDL: e.UIDL}.UniqueID() }

// UIDL finds the story of a message in the trace by its unique-id, as Message does. A restored message has another id and the same
// unique-id, so the story goes on.
func (r *Reader) UIDL(ctx context.Context, u mail.UIDL, in Range, may Filter) (Answer, error) {
	if octets, err := hex.DecodeString(strings.ToLower(string(u))); err == nil && len(octets) == len(mail.MessageID{}) {
		return r.Message(ctx, mail.MessageID(octets), in, may)
	}
	return r.story(ctx, []string{keyUIDL(u)}, in, may)
}

// Message finds the story of a message in the trace: the events of the message, and of each account the logins
// that read the list with the message, until the message was first retrieved or removed.
func (r *Reader) Message(ctx context.Context, id mail.MessageID, in Range, may Filter) (Answer, error) {
	if earliest := id.Time().Add(-ahead); in.From.Before(earliest) {
		in.From = earliest
	}
	return r.story(ctx, []string{keyMessage(id), keyUIDL(mail.Message{ID: id}.UniqueID())}, in, may)
}

// story finds the events under some keys of a message, and the logins.
func (r *Reader) story(ctx context.Context, keys []string, in Range, may Filter) (Answer, error) {
	a, err := r.read(ctx, store.JournalTrace, keys, in, may)
	if err != nil || in.Before != "" {
		return a, err
	}
	listed := waits(a.Events)
	if len(listed) > maxStories {
		return a, nil
	}
	for address, wait := range listed {
		logins, err := r.read(ctx, store.JournalTrace, []string{keyLogins(address)}, Range{From: wait.from, To: wait.to, Limit: maxLogins}, may)
		if err != nil {
			return a, err
		}
		a.Events, a.Partial, a.Damaged = append(a.Events, logins.Events...), a.Partial || logins.Partial, a.Damaged+logins.Damaged
	}
	sortEvents(a.Events)
	return a, nil
}

// maxLogins bounds the logins of one account in the story of a message: the last ones.
const maxLogins = 20

// wait is the time in which a message was in a maildrop, and nobody had retrieved the message.
type wait struct{ from, to time.Time }

// waits returns the waits of a message by account. An account without an acceptance has none.
func waits(events []event.Event) map[string]wait {
	all := map[string]wait{}
	for _, e := range slices.Backward(events) { // the oldest first
		w, accepted := all[e.Address]
		switch e.Kind {
		case event.Accepted, event.Restored:
			if !accepted {
				all[e.Address] = wait{from: e.Time}
			}
		case event.Retrieved, event.Removed, event.Expired, event.Purged:
			if accepted && w.to.IsZero() {
				w.to = e.Time
				all[e.Address] = w
			}
		}
	}
	return all
}

// sortEvents puts the newest event first.
func sortEvents(events []event.Event) {
	slices.SortStableFunc(events, func(a, b event.Event) int { return b.Time.Compare(a.Time) })
}

// Audit finds the records of an account in the audit; for a domain the administrative actions in the domain;
// without a subject all administrative actions. subjects lists canonical addresses and domains.
func (r *Reader) Audit(ctx context.Context, subjects []string, in Range, may Filter) (Answer, error) {
	keys := []string{keyAll}
	if len(subjects) > 0 {
		keys = nil
	}
	for _, s := range subjects {
		if strings.Contains(s, "@") {
			keys = append(keys, keyAddress(s))
		} else {
			keys = append(keys, keyDomain(s))
		}
	}
	return r.read(ctx, store.JournalAudit, keys, in, may)
}

// FailedLogins finds the failed logins of accounts and of domains in the audit; without a subject all failed logins.
// subjects lists canonical addresses and domains.
func (r *Reader) FailedLogins(ctx context.Context, subjects []string, in Range, may Filter) (Answer, error) {
	keys := make([]string, 0, len(subjects))
	for _, s := range subjects {
		if !strings.Contains(s, "@") {
			keys = nil
			break
		}
		keys = append(keys, keyAddress(s))
	}
	if len(keys) == 0 {
		keys = []string{keyFailedLogins}
	}
	return r.read(ctx, store.JournalAudit, keys, in, func(e event.Event) bool {
		_, domain, _ := cutLast(e.Address)
		among := len(subjects) == 0 || slices.Contains(subjects, e.Address) || slices.Contains(subjects, domain)
		return e.Kind == event.LoginFailed && among && may(e)
	})
}
