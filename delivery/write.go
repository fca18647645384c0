package delivery

import (
	"context"
	"fmt"
	"time"

	"popelago/mail"
	"popelago/store"
)

// entry is a row to be written, and what became of it.
type entry struct {
	row        store.Entry
	durability mail.Durability
	err        error
	reached    mail.Reached
}

// each reports whether every datacenter has to have the row.
func (e *entry) each() bool { return e.durability.Each }

// store writes content, then index, under res.ID.
func (in *Incoming) store(ctx context.Context, res *Result) {
	d := in.d
	entries, entryOf := in.entries(res.ID)
	everywhere := in.putContent(ctx, res.ID, entries)
	d.addRows(ctx, entries, everywhere)
	if d.tooOld(res.ID) {
		d.takeBack(ctx, entries)
		for i := range entries {
			if entries[i].err == nil {
				entries[i].err = ErrTooOld
			}
		}
	}
	for i, k := range entryOf {
		res.Reached[i] = entries[k].reached
		if err := entries[k].err; err != nil {
			res.Errors[i] = fmt.Errorf("delivery: store message %s: %w", res.ID, err)
		}
	}
}

// putContent stores the content as durably as the most demanding recipient asks for. If every
// datacenter was to have it and one cannot be reached, it is stored locally for those who
// make do with that, and the others get the error. It reports whether every datacenter has it.
func (in *Incoming) putContent(ctx context.Context, id mail.MessageID, entries []entry) (everywhere bool) {
	st := in.d.store
	info := store.ContentInfo{ReversePath: in.envelope.ReversePath}
	for i := range entries {
		info.Mailboxes = append(info.Mailboxes, entries[i].row.Mailbox)
	}
	local := true // somebody makes do with the local datacenter
	if each := st.At(store.LevelEach); each != st && anyEntry(entries, (*entry).each) {
		err := each.PutContent(ctx, id, in.content, info)
		if err == nil {
			return true
		}
		local = false
		for i := range entries {
			if e := &entries[i]; e.durability.Each && !(e.durability.OrLocal && store.Unreached(err)) {
				e.err = err
			} else {
				local = true
			}
		}
	}
	if !local {
		return false
	}
	if err := st.PutContent(ctx, id, in.content, info); err != nil {
		for i := range entries {
			if entries[i].err == nil {
				entries[i].err = err
			}
		}
	}
	return false
}

func anyEntry(entries []entry, is func(*entry) bool) bool {
	for i := range entries {
		if is(&entries[i]) {
			return true
		}
	}
	return false
}

// addRows writes the rows of the entries without an error. everywhere says that every
// datacenter has the content.
func (d *Deliverer) addRows(ctx context.Context, entries []entry, everywhere bool) {
	var each, local []*entry
	for i := range entries {
		switch e := &entries[i]; {
		case e.err != nil:
		case e.durability.Each && everywhere:
			each = append(each, e)
		default:
			local = append(local, e)
		}
	}
	add(ctx, d.store.At(store.LevelEach), each)
	for _, e := range each {
		if e.err == nil {
			e.reached = mail.ReachedEach
		} else if e.durability.OrLocal && store.Unreached(e.err) {
			local = append(local, e)
		}
	}
	add(ctx, d.store, local)
	for _, e := range local {
		e.reached = mail.ReachedLocal
		if e.durability.Each && d.several() {
			e.reached = mail.ReachedFallback
		}
	}
}

// several reports whether there are several datacenters.
func (d *Deliverer) several() bool { return d.store.At(store.LevelEach) != d.store }

// add writes rows and notes what became of each.
func add(ctx context.Context, st store.Store, entries []*entry) {
	if len(entries) == 0 {
		return
	}
	rows := make([]store.Entry, len(entries))
	for i, e := range entries {
		rows[i] = e.row
	}
	for i, err := range st.AddMessages(ctx, rows) {
		entries[i].err = err
	}
}

// entries lists the rows to be written, one for each mailbox, and for each recipient the
// index of its row. The first of several recipients with one mailbox gives its address.
func (in *Incoming) entries(id mail.MessageID) (entries []entry, entryOf []int) {
	recipients := in.envelope.Recipients
	entries = make([]entry, 0, len(recipients))
	entryOf = make([]int, len(recipients))
	index := make(map[mail.MailboxID]int, len(recipients))
	for i, r := range recipients {
		k, twice := index[r.Mailbox]
		if !twice {
			k = len(entries)
			index[r.Mailbox] = k
			recipient := r.Address.PathString()
			header := mail.DeliveryHeader(in.envelope.ReversePath, recipient)
			entries = append(entries, entry{
				row: store.Entry{Mailbox: r.Mailbox, Message: mail.Message{
					ID: id, Size: int64(len(header)) + in.content.Size(), Recipient: recipient,
				}},
				durability: r.Durability,
			})
		}
		entryOf[i] = k
	}
	return entries, entryOf
}

// tooOld reports whether id is over MaxIDAge by the wall clock. The monotonic clock would not
// do: it may stand still while the machine sleeps.
func (d *Deliverer) tooOld(id mail.MessageID) bool {
	return d.cfg.Now().Round(0).Sub(id.Time()) > MaxIDAge
}

// takeBack removes rows that came too late. It has a time of its own, because ctx will have
// ended.
func (d *Deliverer) takeBack(ctx context.Context, entries []entry) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
	defer cancel()
	d.metrics.tooOld.Inc()
	for _, e := range entries {
		if err := d.store.RemoveMessages(ctx, e.row.Mailbox, []mail.MessageID{e.row.Message.ID}); err != nil {
			d.cfg.Logger.Error("a message was stored too late and could not be removed again",
				"message", e.row.Message.ID.String(), "mailbox", e.row.Mailbox.String(), "cause", err)
		}
	}
}
