package simulation

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"sync"
	"time"

	"popelago/account"
	"popelago/delivery"
	"popelago/mail"
	"popelago/maildrop"
)

// Names of the promises, as they stand in violations.
const (
	promiseVisible   = "an acknowledged message is listed"
	promiseRemoved   = "a removed message stays removed"
	promiseUIDL      = "a unique-id never changes and is never used again"
	promiseSize      = "the octets of LIST and RETR are equal"
	promiseText      = "a message is retrieved as it was sent"
	promiseOnce      = "no duplicate without a cause"
	promisePermanent = "a fault is never a permanent refusal"
	promiseOwner     = "nobody reads the mail of an earlier owner"
	promiseSame      = "all datacenters list the same in the end"
	promiseUndelete  = "a removed message can be brought back"
	promiseSpace     = "space is reclaimed in the end"
	promiseWork      = "work succeeds when all is well"
)

// model holds what clients were told, and checks what they see. Safe for concurrent use.
type model struct {
	story *story

	mu    sync.Mutex
	drops map[string]*drop // by address and generation
	tally Tally
}

// Tally counts what clients did.
type Tally struct {
	Sent, Acknowledged, Refused, Failed          int
	Logins, FailedLogins, Listed, Retrieved      int
	Removed, UnknownRemovals, Duplicates, Copies int
	Accounts, RemovedAccounts, Late              int
	// SameAgain counts accounts that were made once more behind a cut, and removed.
	SameAgain int
	// LostMessages, LostRemovals and LostAccounts count what only a lost datacenter had acknowledged.
	LostMessages, LostRemovals, LostAccounts int
}

// drop is the maildrop of one owner of an address.
type drop struct {
	name    string
	address mail.Address
	mailbox mail.MailboxID        // zero until the account is made
	copies  map[int]*sent         // by number of the message
	unique  map[mail.UIDL]*listed // what was seen
	// ending is when the removal of the account began; zero: it was not removed.
	ending time.Time
	// making is when the making of the account began.
	making time.Time
	// known is when the owner signed in first through a datacenter. Until then the datacenter may still deliver
	// to the maildrop of the owner before.
	known map[string]time.Time
	first bool // nobody had the address before
}

// sent is what a sender knows of a message for one maildrop.
type sent struct {
	number int
	// acked is when the message was acknowledged first; zero: never. at is the datacenter that has it.
	acked time.Time
	at    string
	// ids lists the ids under which the message may be stored.
	ids []mail.MessageID
	// lost: only a lost datacenter had the message.
	lost bool
	// excuses counts the repetitions that may have been stored again: the server may not have known the attempts
	// before.
	excuses int
	tries   int
	trying  bool      // an attempt is in progress
	ended   time.Time // when the last attempt ended
	// late: the acknowledging datacenter may have known only the owner before, whose late mail it is.
	late bool
}

// listed is a message that a maildrop listed.
type listed struct {
	number  int // of the message; -1 until it was retrieved
	size    int64
	removed map[string]time.Time // when its removal was acknowledged, by datacenter
	tried   bool                 // a removal was tried
	last    time.Time            // a moment before the last list with the message
	// empty: only a lost datacenter had the content.
	empty bool
}

// add adds the counts of another tally.
func (t *Tally) add(o Tally) {
	to, from := reflect.ValueOf(t).Elem(), reflect.ValueOf(o)
	for i := range to.NumField() {
		to.Field(i).SetInt(to.Field(i).Int() + from.Field(i).Int())
	}
}

// made notes the mailbox of an account that was made, unless an earlier owner had the mailbox: excused is set if the
// datacenter may know neither the account before nor its removal.
func (m *model) made(d *drop, mailbox mail.MailboxID, excused bool) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, other := range m.drops {
		if other != d && other.mailbox == mailbox {
			m.tally.SameAgain++
			if !excused {
				m.story.violated(promiseOwner, "%s has the mailbox of %s, although no fault is in progress", d.name, other.name)
			}
			return false
		}
	}
	d.mailbox = mailbox
	return true
}

func newModel(s *story) *model { return &model{story: s, drops: map[string]*drop{}} }

// count changes the tally.
func (m *model) count(change func(*Tally)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	change(&m.tally)
}

// newDrop begins the maildrop of a new owner.
func (m *model) newDrop(a mail.Address, owner int) *drop {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := &drop{name: fmt.Sprintf("%s/%d", a.Local, owner), address: a, copies: map[int]*sent{}, unique: map[mail.UIDL]*listed{}, making: time.Now(), known: map[string]time.Time{}, first: true}
	for _, other := range m.drops {
		d.first = d.first && other.address != a
	}
	m.drops[d.name] = d
	m.tally.Accounts++
	return d
}

// end notes that the removal of an account begins.
func (m *model) end(d *drop) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.ending = time.Now()
	m.tally.RemovedAccounts++
}

// permanent reports whether an error of a delivery or a login is a permanent refusal.
func permanent(err error) bool {
	return errors.Is(err, account.ErrNoSuchRecipient) || errors.Is(err, delivery.ErrNotHosted) || errors.Is(err, account.ErrBadCredentials) ||
		errors.Is(err, account.ErrDisabled)
}

// trying notes that an attempt begins: the message may be listed before the reply.
func (m *model) trying(d *drop, number int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := d.copies[number]
	if c == nil {
		c = &sent{number: number}
		d.copies[number] = c
		m.tally.Sent++
	}
	c.trying = true
}

// result notes the reply to an attempt to send a message to a maildrop through a datacenter.
func (m *model) result(d *drop, number int, began time.Time, through, at string, excused bool, as stored, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	c := d.copies[number]
	c.tries++
	if err == nil && !as.repeated {
		c.ids = nil
	}
	if !as.id.IsZero() {
		c.ids = append(c.ids, as.id)
	}
	c.trying, c.ended = false, time.Now()
	if excused {
		c.excuses++
	}
	switch {
	case err == nil:
		m.tally.Acknowledged++
		if c.acked.IsZero() {
			c.acked, c.at = time.Now(), at
			known, ok := d.known[through]
			c.late = !d.first && !(ok && known.Before(began))
			if c.late {
				m.tally.Late++
			}
		}
	case permanent(err):
		m.tally.Refused++
		if d.ending.IsZero() {
			m.story.violated(promisePermanent, "message %d for %s is refused through %s: %v", number, d.name, at, err)
		}
	default:
		m.tally.Failed++
	}
}

// stored says under which id an attempt has stored a message; repeated: or under the id of an earlier attempt.
type stored struct {
	id       mail.MessageID
	repeated bool
}

// seen is one message of a list.
type seen struct {
	uidl mail.UIDL
	size int64
}

// list checks a list that a session opened through a datacenter; began is a moment before the login.
func (m *model) list(d *drop, began time.Time, at string, all []seen, lossy bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.Logins++
	if _, ok := d.known[at]; !ok {
		d.known[at] = time.Now()
	}
	m.tally.Listed += len(all)
	on := map[mail.UIDL]bool{}
	for _, s := range all {
		if on[s.uidl] {
			m.story.violated(promiseUIDL, "%s lists %s twice", d.name, s.uidl)
		}
		on[s.uidl] = true
		l := d.unique[s.uidl]
		if l == nil {
			l = &listed{number: -1, size: s.size, removed: map[string]time.Time{}}
			d.unique[s.uidl] = l
		}
		l.last = began
		if l.size != s.size {
			m.story.violated(promiseSize, "%s listed %s with %d octets, and now with %d", d.name, s.uidl, l.size, s.size)
		}
		t, ok := l.removed[at]
		if !ok {
			t, ok = l.removed[everywhere]
		}
		if ok && t.Before(began) && !lossy {
			m.story.violated(promiseRemoved, "%s lists %s of message %d through %s, removed there at %v", d.name, s.uidl, l.number, at, t.Sub(m.story.start))
		}
	}
	if !d.ending.IsZero() || lossy {
		return
	}
	m.checkVisible(d, at, on, func(c *sent) bool { return c.acked.Before(began) && (c.at == at || c.at == everywhere) })
}

// checkVisible checks whether a list has a copy of each acknowledged message that counts, or a copy whose
// removal was tried. A copy that was never retrieved may be any message.
func (m *model) checkVisible(d *drop, at string, on map[mail.UIDL]bool, counts func(*sent) bool) {
	unknown, known := 0, map[int]bool{}
	for uidl, l := range d.unique {
		switch {
		case !on[uidl] && !l.tried:
		case l.number < 0:
			unknown++
		default:
			known[l.number] = true
		}
	}
	var missing []*sent
	for _, c := range sorted(d.copies) {
		if !c.acked.IsZero() && !c.late && !c.lost && !known[c.number] && counts(c) {
			missing = append(missing, c)
		}
	}
	if len(missing) <= unknown {
		return
	}
	for _, c := range missing {
		m.story.violated(promiseVisible, "%s does not list message %d through %s, acknowledged at %v in %s", d.name, c.number, at, c.acked.Sub(m.story.start), c.at)
	}
}

// retrieved checks a retrieved message.
func (m *model) retrieved(d *drop, uidl mail.UIDL, number int, octets int64, fits bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tally.Retrieved++
	l := d.unique[uidl]
	if l.size != octets {
		m.story.violated(promiseSize, "%s listed %s with %d octets, and sent %d", d.name, uidl, l.size, octets)
	}
	if !fits {
		m.story.violated(promiseText, "%s: %s of message %d differs from the text that was sent", d.name, uidl, number)
		return
	}
	if l.number >= 0 && l.number != number {
		m.story.violated(promiseUIDL, "%s: %s was message %d, and is message %d", d.name, uidl, l.number, number)
	}
	if d.copies[number] == nil {
		if !m.mayHave(d, number) {
			m.story.violated(promiseOwner, "%s has message %d, which was never sent there", d.name, number)
		}
		l.number = number
		return
	}
	if l.number < 0 {
		l.number = number
		m.tally.Copies++
		m.checkOnce(d, number)
	}
}

// mayHave reports whether a message for an earlier owner of the address may have met the new owner: its last
// attempt ended after the new account was made.
func (m *model) mayHave(d *drop, number int) bool {
	for _, other := range m.drops {
		if c := other.copies[number]; other.address == d.address && c != nil && (c.trying || c.ended.After(d.making)) {
			return true
		}
	}
	return false
}

// checkOnce checks the count of copies of a message. A copy of an attempt with an unknown outcome may be seen, and
// removed by a later attempt, which stores the message again: no list after the last attempt has the copy.
func (m *model) checkOnce(d *drop, number int) {
	copies, gone := 0, 0
	c := d.copies[number]
	for _, l := range d.unique {
		if l.number == number {
			copies++
			if c.trying || l.last.Before(c.ended) {
				gone++
			}
		}
	}
	if copies > 1 {
		m.tally.Duplicates++
	}
	before := c.tries // attempts whose copies may be gone
	if !c.trying {
		before--
	}
	if copies > 1+c.excuses+min(gone, before) {
		m.story.violated(promiseOnce, "%s has %d copies of message %d, sent %d times, %d of them with an excuse", d.name, copies, number, c.tries, c.excuses)
	}
}

// removing notes that the removal of a message begins.
func (m *model) removing(d *drop, uidl mail.UIDL) {
	m.mu.Lock()
	defer m.mu.Unlock()
	d.unique[uidl].tried = true
}

// removed notes the reply to the removal of messages through a datacenter.
func (m *model) removed(d *drop, all []mail.UIDL, at string, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, uidl := range all {
		if err != nil {
			m.tally.UnknownRemovals++
			continue
		}
		m.tally.Removed++
		if _, ok := d.unique[uidl].removed[at]; !ok {
			d.unique[uidl].removed[at] = time.Now()
		}
	}
}

// final checks the lists of a maildrop in all datacenters after all faults have ended.
func (m *model) final(d *drop, lists map[string][]seen) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var first map[mail.UIDL]bool
	for at, all := range sorted(lists) {
		on := map[mail.UIDL]bool{}
		for _, s := range all {
			on[s.uidl] = true
			if l := d.unique[s.uidl]; l != nil && len(l.removed) > 0 {
				m.story.violated(promiseRemoved, "in the end %s lists %s of message %d through %s, which was removed", d.name, s.uidl, l.number, at)
			}
		}
		m.checkVisible(d, at+" in the end", on, func(*sent) bool { return true })
		if first == nil {
			first = on
		} else if !maps.Equal(first, on) {
			m.story.violated(promiseSame, "%s: %d and %d messages", d.name, len(first), len(on))
		}
	}
}

// sorted yields a map in the order of its keys.
func sorted[K interface{ ~int | ~string }, V any](all map[K]V) func(yield func(K, V) bool) {
	return func(yield func(K, V) bool) {
		for _, key := range slices.Sorted(maps.Keys(all)) {
			if !yield(key, all[key]) {
				return
			}
		}
	}
}

// removedMeanwhile reports whether a message could not be read because another session has removed it.
func removedMeanwhile(err error) bool { return errors.Is(err, maildrop.ErrRemoved) }
