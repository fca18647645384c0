package ledger

import (
	"slices"
	"time"

	"popelago/mail"
	"popelago/store"
)

// MaxAhead limits how far the id of an attempt may be ahead of the clock: another server may have
// made the id, and the clocks of two servers may differ by twice the skew of a server.
const MaxAhead = store.MaxOthersAhead

// Plan says how a delivery stores its message.
type Plan struct {
	// Origin is the datacenter that answered when Recall began, as Store.Origin names it.
	Origin string
	// Rows are the rows given to Recall, in the same order, with the states that earlier deliveries
	// left. A row to be written again has the recipient of its first write.
	Rows []Row
	// Due holds the indices of the rows to be written.
	Due []int

	// Earlier is the id of an earlier delivery of the message. Zero: the delivery repeats none.
	Earlier mail.MessageID
	// ID is the id for the due rows; their content is stored. Zero: the message needs a new id, and
	// content.
	ID mail.MessageID
	// MaxAge limits the age of ID when the plan was made.
	MaxAge time.Duration
	// ContentSize and ContentReached describe the content under ID, see store.Attempt.
	ContentSize    int64
	ContentReached mail.Reached

	fingerprint Fingerprint
	earlier     []earlier
	reused      *earlier // the element of earlier that ID belongs to; nil: ID is zero
}

// Repeated reports whether the message was delivered earlier.
func (p Plan) Repeated() bool { return len(p.earlier) > 0 }

// earlier is a repeated attempt.
type earlier struct {
	store.Attempt
	recipients map[copyKey]*store.AttemptRecipient
}

// situation holds the circumstances of a decision.
type situation struct {
	origin  string // the datacenter that answers
	several bool   // there are several datacenters
	now     time.Time
	window  time.Duration // Config.Window
}

// doubt is a row of unknown outcome, to be found or removed before the message gets a new id.
type doubt struct {
	attempt *earlier
	row     *Row
	counts  bool // the row counts as stored if the store finds it
}

// decide plans a delivery that repeats attempts. A pure function: it needs no store and changes no
// argument.
//
//  1. Rows stored by an attempt are KnownBefore.
//  2. If an attempt has content for all due rows, the plan has its id.
//  3. Otherwise every row of unknown outcome is a doubt, in the order of the attempts.
func decide(rows []Row, attempts []store.Attempt, s situation) (Plan, []doubt) {
	p := Plan{
		Origin: s.origin, Rows: slices.Clone(rows), Earlier: attempts[0].ID, MaxAge: store.ReuseAge(s.window),
		earlier: make([]earlier, len(attempts)),
	}
	for i, a := range attempts {
		p.earlier[i] = asSeenFrom(s.origin, a)
	}
	for i := range p.Rows {
		p.Rows[i].markKnown(p.earlier)
	}
	if p.reused = p.reusable(s); p.reused == nil {
		return p, p.doubts()
	}
	p.ID, p.ContentSize, p.ContentReached = p.reused.ID, p.reused.ContentSize, p.reused.ContentReached
	for i := range p.Rows {
		if r := &p.Rows[i]; r.due() {
			first := p.reused.recipients[r.key()]
			r.Message.Recipient, r.Message.Original = first.Recipient, first.Original
			if p.maybeUnder(p.ID, r) {
				r.State = Unknown
			}
		}
	}
	return p, nil
}

// asSeenFrom adapts an attempt to the datacenter that answers now. Content acknowledged only by
// another datacenter may be missing here permanently, and counts as not stored. The outcome of a row
// acknowledged only there is unknown, unless the sender knows of the success and will not repeat.
func asSeenFrom(origin string, a store.Attempt) earlier {
	a.Recipients = slices.Clone(a.Recipients)
	e := earlier{Attempt: a, recipients: make(map[copyKey]*store.AttemptRecipient, len(a.Recipients))}
	for i := range e.Recipients {
		r := &e.Recipients[i]
		e.recipients[attemptKey(*r)] = r
		if a.Origin != origin && r.Outcome == store.AttemptStored && r.Reached != mail.ReachedEach && !r.Told {
			r.Outcome = store.AttemptUnknown
		}
	}
	switch {
	case a.Origin == origin:
	case a.ContentReached == mail.ReachedEach:
		e.Origin = origin // the datacenter that acknowledges further rows under the id
	default:
		e.ContentStored = false
	}
	return e
}

// markKnown makes the row KnownBefore if an attempt stored it, also if the caller has refused the
// row.
func (r *Row) markKnown(attempts []earlier) {
	for _, a := range attempts {
		if known := a.recipients[r.key()]; known != nil && known.Outcome == store.AttemptStored {
			r.State, r.Reached, r.Err = KnownBefore, known.Reached, nil
		}
	}
}

// reusable returns the attempt whose id is good for the due rows: its content is stored for each of
// them, no attempt may have stored a copy under a different id, and background work leaves ids of
// its age alone. Nil: no attempt qualifies, or no row is due.
func (p *Plan) reusable(s situation) *earlier {
	if !slices.ContainsFunc(p.Rows, func(r Row) bool { return r.due() }) {
		return nil
	}
	for i := range p.earlier {
		a := &p.earlier[i]
		age := s.now.Round(0).Sub(a.ID.Time())
		unfit := func(r Row) bool { return r.due() && !a.fits(&r, s.several) }
		if age < p.MaxAge && -age <= MaxAhead && p.usable(a.ID) && !p.rivals(a.ID) && !slices.ContainsFunc(p.Rows, unfit) {
			return a
		}
	}
	return nil
}

// fits reports whether the content of the attempt is stored for the recipient of a row, as durably
// as the row requires.
func (a *earlier) fits(r *Row, several bool) bool {
	return a.recipients[r.key()] != nil && (!r.Durability.Each() || !several || a.ContentReached == mail.ReachedEach)
}

// usable reports whether rows under an id count: every attempt with the id has its content, and
// none has removed a row.
func (p *Plan) usable(id mail.MessageID) bool {
	return !slices.ContainsFunc(p.earlier, func(a earlier) bool { return a.ID == id && !a.ContentStored })
}

// rivals reports whether a mailbox may have a copy under another id.
func (p *Plan) rivals(id mail.MessageID) bool {
	return slices.ContainsFunc(p.earlier, func(a earlier) bool {
		return a.ID != id && slices.ContainsFunc(p.Rows, func(r Row) bool { return a.maybe(&r) })
	})
}

// maybeUnder reports whether the row may be stored under an id.
func (p *Plan) maybeUnder(id mail.MessageID, r *Row) bool {
	return slices.ContainsFunc(p.earlier, func(a earlier) bool { return a.ID == id && a.maybe(r) })
}

// maybe reports whether the outcome of the row is unknown to the attempt.
func (a *earlier) maybe(r *Row) bool {
	known := a.recipients[r.key()]
	return known != nil && known.Outcome == store.AttemptUnknown
}

// doubts lists the rows of unknown outcome, without refused rows.
func (p *Plan) doubts() (list []doubt) {
	for i := range p.earlier {
		a := &p.earlier[i]
		counts := p.usable(a.ID)
		for k := range p.Rows {
			if r := &p.Rows[k]; r.Err == nil && a.maybe(r) {
				list = append(list, doubt{attempt: a, row: r, counts: counts})
			}
		}
	}
	return list
}
