package ledger

import (
	"slices"

	"popelago/store"
)

// attempts returns the knowledge for a repetition of a delivery: the attempts that the delivery
// itself repeated, and its own attempts if the rows have new ids. acknowledged: the sender knows of
// the success for each recipient without an error.
func attempts(o Outcome, acknowledged bool) []store.Attempt {
	p := o.Plan
	list := make([]store.Attempt, 0, len(p.earlier)+1)
	for i := range p.earlier {
		list = append(list, updated(&p.earlier[i], o, acknowledged))
	}
	if p.reused != nil {
		return list
	}
	for _, part := range append([]*Part{&o.Part}, o.Further...) {
		if !part.ID.IsZero() {
			list = append(list, o.own(part, acknowledged))
		}
	}
	return list
}

// own returns the attempt of the rows that the delivery wrote under a new id.
func (o Outcome) own(part *Part, acknowledged bool) store.Attempt {
	p := o.Plan
	due := part.Due
	if due == nil {
		due = p.Due
	}
	own := store.Attempt{
		Fingerprint: p.fingerprint, ID: part.ID, Origin: p.Origin,
		ContentStored: part.ContentStored, ContentReached: part.ContentReached, ContentSize: part.ContentSize,
		Recipients: make([]store.AttemptRecipient, 0, len(due)),
	}
	for _, k := range due {
		r := &p.Rows[k]
		own.Recipients = append(own.Recipients, store.AttemptRecipient{
			Mailbox: r.Mailbox, Recipient: r.Message.Recipient, Original: r.Message.Original,
			Outcome: r.State.outcome(), Reached: r.Reached, Told: acknowledged && !o.repeats(k),
		})
	}
	return own
}

// updated returns a repeated attempt with the changes made by the delivery.
func updated(e *earlier, o Outcome, acknowledged bool) store.Attempt {
	p := o.Plan
	a := e.Attempt
	a.Recipients = slices.Clone(a.Recipients)
	known := make(map[copyKey]*store.AttemptRecipient, len(a.Recipients))
	for i := range a.Recipients {
		known[attemptKey(a.Recipients[i])] = &a.Recipients[i]
	}
	if e == p.reused {
		a.ContentStored = a.ContentStored && o.ContentStored
		for _, k := range p.Due {
			r := &p.Rows[k]
			known[r.key()].Outcome, known[r.key()].Reached = r.State.outcome(), r.Reached
		}
	}
	for i, r := range p.Rows {
		if to := known[r.key()]; to != nil {
			to.Told = acknowledged && !o.repeats(i)
		}
	}
	return a
}

// outcome returns the outcome of a row after its write.
func (s State) outcome() store.AttemptOutcome {
	switch s {
	case Stored:
		return store.AttemptStored
	case Unknown:
		return store.AttemptUnknown
	}
	return store.AttemptUnwritten
}

// needed reports whether a repetition without the attempt would store a second copy: a row is
// stored, or may be, and the sender does not know of a success.
func needed(a store.Attempt) bool {
	return slices.ContainsFunc(a.Recipients, func(r store.AttemptRecipient) bool {
		return !r.Told && r.Outcome != store.AttemptUnwritten
	})
}
