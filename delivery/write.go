package delivery

import (
	"context"
	"fmt"

	"popelago/mail"
	"popelago/store"
)

// putContent stores the content as durably as the most demanding recipient asks for. If every
// datacenter was to have it and one cannot be reached, it is stored locally for those who
// make do with that, and the others get the error.
func (in *Incoming) putContent(ctx context.Context, t *trial) outcome {
	st := in.d.mail
	info := store.ContentInfo{ReversePath: in.envelope.ReversePath}
	for i := range t.entries {
		if e := &t.entries[i]; e.due() {
			info.Mailboxes = append(info.Mailboxes, e.row.Mailbox)
			t.shared = append(t.shared, i)
		}
	}
	var err error
	if st.Several && anyEntry(t.entries, func(e *entry) bool { return e.due() && e.each() }) {
		if err = st.Each.PutContent(ctx, t.id, in.content, info); err == nil {
			return outcome{reached: mail.ReachedEach}
		}
		local := false // somebody makes do with the local datacenter
		for i := range t.entries {
			if e := &t.entries[i]; !e.due() {
				continue
			} else if e.each() && !(e.durability.OrLocal && store.Unreached(err)) {
				e.err = err
			} else {
				local = true
			}
		}
		if !local {
			return outcome{err: err}
		}
	}
	if err = st.Local.PutContent(ctx, t.id, in.content, info); err != nil {
		for i := range t.entries {
			if e := &t.entries[i]; e.due() {
				e.err = err
			}
		}
	}
	return outcome{err: err}
}

func anyEntry(entries []entry, is func(*entry) bool) bool {
	for i := range entries {
		if is(&entries[i]) {
			return true
		}
	}
	return false
}

// addRows writes the rows that are due.
func (d *Deliverer) addRows(ctx context.Context, t *trial) {
	everywhere := t.content.reached == mail.ReachedEach
	var each, local []*entry
	for i := range t.entries {
		switch e := &t.entries[i]; {
		case !e.due():
		case e.each() && everywhere:
			each = append(each, e)
		default:
			local = append(local, e)
		}
	}
	add(ctx, d.mail.Each, each)
	for _, e := range each {
		if e.err == nil {
			e.reached = mail.ReachedEach
		} else if e.durability.OrLocal && store.Unreached(e.err) {
			local = append(local, e)
		}
	}
	add(ctx, d.mail.Local, local)
	for _, e := range local {
		e.reached = mail.ReachedLocal
		if e.each() && d.mail.Several {
			e.reached = mail.ReachedFallback
		}
	}
}

// add writes rows and notes what became of each. What may have been written by the time of a
// failure may be there, however a second write fails.
func add(ctx context.Context, st store.Mailboxes, entries []*entry) {
	if len(entries) == 0 {
		return
	}
	rows := make([]store.Entry, len(entries))
	for i, e := range entries {
		rows[i] = e.row
	}
	for i, err := range st.AddMessages(ctx, rows) {
		e := entries[i]
		if e.unsure && err != nil && !unknown(err) {
			err = fmt.Errorf("%w: %v", store.ErrOutcomeUnknown, err)
		}
		e.tried, e.err, e.unsure = true, err, unknown(err)
	}
}
