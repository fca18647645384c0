package quota

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Total is the measured usage of a domain.
type Total struct {
	Usage
	// Began and Ended are the begin and the end of the measurement, to the second.
	Began, Ended time.Time
}

// noteName returns the name of the note, see store.Notes, with the Total of a domain: octets, messages,
// begin and end of the measurement in seconds since 1970, such as "1048576 12 1790000000 1790000060".
func noteName(domain string) string { return "quota/" + domain }

func (t Total) text() string {
	return fmt.Sprintf("%d %d %d %d", t.Octets, t.Messages, t.Began.Unix(), t.Ended.Unix())
}

// parseTotal undoes Total.text. ok is false if the text has a different form.
func parseTotal(text string) (t Total, ok bool) {
	fields := strings.Fields(text)
	if len(fields) != 4 {
		return Total{}, false
	}
	var n [4]int64
	for i, f := range fields {
		var err error
		if n[i], err = strconv.ParseInt(f, 10, 64); err != nil || n[i] < 0 {
			return Total{}, false
		}
	}
	return Total{Usage{n[0], n[1]}, time.Unix(n[2], 0).UTC(), time.Unix(n[3], 0).UTC()}, true
}

// NoteDomain stores the measured usage of a domain for all servers. Errors: the store's.
func (k *Keeper) NoteDomain(ctx context.Context, domain string, t Total) error {
	if err := k.notes.SetProgress(ctx, noteName(domain), t.text()); err != nil {
		return fmt.Errorf("quota: note the usage of domain %s: %w", domain, err)
	}
	return nil
}

// Domain returns the usage of a domain as measured last. known is false before the first measurement.
// Errors: the store's.
func (k *Keeper) Domain(ctx context.Context, domain string) (t Total, known bool, err error) {
	text, err := k.notes.Progress(ctx, noteName(domain))
	if err != nil {
		return Total{}, false, fmt.Errorf("quota: read the usage of domain %s: %w", domain, err)
	}
	t, known = parseTotal(text)
	return t, known, nil
}

// admitDomain checks the quota of the domain. A domain without measurement admits every message.
func (k *Keeper) admitDomain(ctx context.Context, c *Claim, reserve bool) error {
	l, name := c.recipient.Limits, c.recipient.Account.Domain
	e, ok := k.domains.Get(name)
	if !ok {
		e = k.domains.Add(name, &domainEntry{})
	}
	now := k.cfg.Now()
	if !e.fresh(now, k.cfg.TTL) {
		t, known, err := k.Domain(ctx, name)
		if err != nil {
			return err
		}
		e.measured(t, known, now)
	}
	if !e.fits(l.DomainOctets, l.DomainMessages, c.octets, reserve) {
		return k.refused(quotaDomain, ErrOver)
	}
	if reserve {
		c.domain = e
	}
	return nil
}

// domainEntry is the known usage of a domain.
type domainEntry struct {
	mu      sync.Mutex
	read    time.Time // of the note; zero: not yet
	total   Total
	known   bool
	pending Usage
	// own holds the deliveries of the local server that the measurement may not have seen, by minute.
	own []minute
}

// minute holds the deliveries of a minute.
type minute struct {
	begin time.Time
	Usage
}

// maxMinutes limits domainEntry.own. The oldest minutes become one.
const maxMinutes = 120

func (e *domainEntry) fresh(now time.Time, ttl time.Duration) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	age := now.Sub(e.read)
	return !e.read.IsZero() && age >= 0 && age < ttl
}

// measured notes a measurement, which has seen the deliveries before its begin.
func (e *domainEntry) measured(t Total, known bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.total, e.known, e.read = t, known, now
	for i := range e.own { // a clock that was ahead has gone back: no delivery is in the future
		if e.own[i].begin.After(now) {
			e.own[i].begin = now.Truncate(time.Minute)
		}
	}
	for len(e.own) > 0 && e.own[0].begin.Add(time.Minute).Before(t.Began) {
		e.own = e.own[1:]
	}
}

func (e *domainEntry) fits(octets, messages, size int64, reserve bool) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := e.total.Usage.plus(e.pending).plus(Usage{size, 1})
	for _, m := range e.own {
		u = u.plus(m.Usage)
	}
	if e.known && !u.within(octets, messages) {
		return false
	}
	if reserve {
		e.pending = e.pending.plus(Usage{size, 1})
	}
	return true
}

func (e *domainEntry) settle(size int64, stored bool, now time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	u := Usage{size, 1}
	e.pending = e.pending.minus(u)
	if !stored {
		return
	}
	begin := now.Truncate(time.Minute)
	if n := len(e.own); n > 0 && !e.own[n-1].begin.Before(begin) {
		e.own[n-1].Usage = e.own[n-1].Usage.plus(u)
		return
	}
	if len(e.own) == maxMinutes {
		e.own[1].Usage = e.own[1].Usage.plus(e.own[0].Usage)
		e.own = e.own[1:]
	}
	e.own = append(e.own, minute{begin, u})
}
