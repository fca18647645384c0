package bench

// listed is a message that Verify found in a maildrop.
type listed struct {
	uidl  string
	token token
	ours  bool // token is valid
}

// copies counts all unique-ids of one message in one mailbox, present and past.
type copies struct {
	total    int // distinct, without those that vanished
	present  int
	fresh    int // present, and never seen before
	removed  int // removed with +OK
	vanished int // seen before, never marked, and not there now
}

// judge compares a maildrop with the journal. For a message with a acknowledgements and u sendings
// of unknown outcome, c copies must have existed, with a <= c <= a+u:
//
//   - fewer than a: Lost;
//   - more than a+u: Resurrected if one was removed before, otherwise Duplicated;
//   - a copy that a session has seen and no session has marked must be present under the same
//     unique-id, otherwise UIDLChanged, or (never acknowledged) UnknownVanished;
//   - a marked copy may be present only if its QUIT was not answered with +OK.
func (f *Findings) judge(l ledger, mailbox string, present []listed) {
	a := l.account(mailbox)
	found := make(map[token]*copies)
	of := func(t token) *copies {
		c := found[t]
		if c == nil {
			c = &copies{}
			found[t] = c
		}
		return c
	}
	here := make(map[string]bool, len(present))
	for _, m := range present {
		here[m.uidl] = true
		before := a.known[m.uidl]
		e := Example{Mailbox: mailbox, UIDL: m.uidl}
		if m.ours {
			e.Token = m.token.String()
		}
		switch {
		case before == nil:
		case before.token != "-" && before.token != e.Token:
			e.Kind, e.Detail = UIDLReused, "it was message "+before.token
			f.violation(e)
		case before.removed:
			e.Kind, e.Detail = Resurrected, "removed before"
			f.violation(e)
		case before.mayBeOut:
			f.UnknownRemovalsPresent++
		}
		if !m.ours {
			f.Foreign++
			continue
		}
		if _, sent := a.sent[m.token]; !sent {
			f.stranger(l, e, m.token)
			continue
		}
		c := of(m.token)
		c.total++
		c.present++
		if before == nil {
			c.fresh++
		}
	}
	for uidl, s := range a.known {
		if s.removed {
			f.Removed++
		} else if s.mayBeOut {
			f.UnknownRemovals++
		}
		t, err := parseToken(s.token)
		if err != nil {
			continue
		}
		c := of(t)
		switch {
		case here[uidl]:
			if s.removed {
				c.removed++
			}
		case s.removed:
			c.removed++
			c.total++
		case s.mayBeOut:
			c.total++
		default:
			c.vanished++
		}
	}
	for t, s := range a.sent {
		f.judgeMessage(mailbox, t, s, of(t))
	}
}

// stranger reports a message that was never sent to this mailbox.
func (f *Findings) stranger(l ledger, e Example, t token) {
	for _, other := range l {
		if _, sent := other.sent[t]; sent {
			e.Kind, e.Detail = Misdelivered, "sent to other mailboxes only"
			f.violation(e)
			return
		}
	}
	f.Foreign++
}

// judgeMessage applies the rules of judge to one message.
func (f *Findings) judgeMessage(mailbox string, t token, s *sending, c *copies) {
	e := Example{Mailbox: mailbox, Token: t.String()}
	f.Acknowledged += int64(s.taken)
	most := s.taken + s.unknown()
	for range s.taken - c.total {
		e.Kind, e.Detail = Lost, "acknowledged, not removed, and not there"
		f.violation(e)
	}
	for i := range c.total - most {
		switch {
		case most == 0:
			e.Kind, e.Detail = NotTaken, "refused, and there all the same"
		case i < c.removed:
			e.Kind, e.Detail = Resurrected, "removed before, and there under another unique-id"
		default:
			e.Kind, e.Detail = Duplicated, "more copies than were sent"
		}
		f.violation(e)
	}
	if c.total >= s.taken {
		changed := min(c.vanished, c.fresh)
		for range changed {
			e.Kind, e.Detail = UIDLChanged, "seen under another unique-id before, which is gone"
			f.violation(e)
		}
		f.UnknownVanished += int64(c.vanished - changed)
	}
	if s.taken == 0 && s.unknown() > 0 {
		if c.total > 0 {
			f.UnknownPresent++
		} else {
			f.UnknownAbsent++
		}
	}
	if most > 0 {
		f.UnknownDuplicates += int64(max(0, min(c.total, most)-max(s.taken, 1)))
	}
}
