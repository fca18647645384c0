package quota

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/cache"
	"popelago/defaults"
	"popelago/mail"
	"popelago/store"
)

// Config holds the settings of a Keeper. The zero value of each field means its default.
type Config struct {
	// TTL is the time for which the usage of a mailbox, and the measured usage of a domain, is remembered.
	// A usage that took long to read is remembered for twenty times the duration of the read.
	TTL time.Duration
	// Size is the largest number of mailboxes, and of domains, remembered.
	Size int

	// Now returns the time. Nil: time.Now.
	Now func() time.Time
	// Logger receives messages for the operator. Nil: no log.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config { return Config{TTL: 10 * time.Second, Size: 100_000} }

func (c Config) withDefaults() Config {
	c = defaults.Fill(c, DefaultConfig())
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

const (
	// refuseAge is the age of the usage from which a refusal needs a new read, unless the read takes long.
	refuseAge = time.Second
	// readShare limits the time spent on reads of one mailbox: the usage is remembered for at least
	// readShare times the duration of its read.
	readShare = 20
	// admitWait limits Admit: a client waits for the answer to RCPT.
	admitWait = time.Minute
)

// Keeper knows the usage of mailboxes and domains. Safe for concurrent use. A Keeper needs no Close.
type Keeper struct {
	cfg       Config
	dir       *account.Directory
	mail      store.Levels[store.Mail]
	notes     store.Notes
	mailboxes cache.Cache[mail.MailboxID, *entry]
	domains   cache.Cache[string, *domainEntry]
	metrics   *metrics
}

// New makes a Keeper and registers its metrics with reg (nil: the metrics stay unregistered).
func New(cfg Config, dir *account.Directory, st store.Store, reg prometheus.Registerer) (*Keeper, error) {
	cfg = cfg.withDefaults()
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("quota: metrics: %w", err)
	}
	return &Keeper{
		cfg: cfg, dir: dir, mail: st.Mail, notes: st.Directory.Local, metrics: m,
		mailboxes: cache.New[mail.MailboxID, *entry](cfg.Size), domains: cache.New[string, *domainEntry](cfg.Size),
	}, nil
}

// Admit reports whether a message of some octets may be accepted for a recipient; zero octets: the size is
// unknown. Admit takes admitWait at most. Errors: ErrOver, ErrRefused; the store's, if the usage is unknown.
func (k *Keeper) Admit(ctx context.Context, r mail.Recipient, octets int64) error {
	ctx, cancel := context.WithTimeout(ctx, admitWait)
	defer cancel()
	_, err := k.claim(ctx, r, octets, false)
	return err
}

// Reserve is Admit for a message that is about to be stored. The caller ends the claim with Claim.Done. A
// recipient without quota has a nil claim.
func (k *Keeper) Reserve(ctx context.Context, r mail.Recipient, octets int64) (*Claim, error) {
	return k.claim(ctx, r, octets, true)
}

func (k *Keeper) claim(ctx context.Context, r mail.Recipient, octets int64, reserve bool) (*Claim, error) {
	l := r.Limits
	if !l.Quota() {
		return nil, nil
	}
	c := &Claim{keeper: k, recipient: r, octets: max(octets, 1)}
	if l.Domain() {
		if err := k.admitDomain(ctx, c, reserve); err != nil {
			return nil, err
		}
	}
	if l.Mailbox() {
		if err := k.admitMailbox(ctx, c, reserve); err != nil {
			c.Done(false)
			return nil, err
		}
	}
	return c, nil
}

// admitMailbox checks the quota of the mailbox; with reserve the claim gets a place.
func (k *Keeper) admitMailbox(ctx context.Context, c *Claim, reserve bool) error {
	l := c.recipient.Limits
	e := k.entry(c.recipient.Mailbox)
	if err := k.refresh(ctx, e, c.recipient, k.cfg.TTL); err != nil {
		return err
	}
	ok, sure, read := e.fits(l, c.octets, reserve)
	if !ok {
		if err := k.refresh(ctx, e, c.recipient, min(refuseAge, k.cfg.TTL)); err != nil {
			return err
		}
		ok, sure, read = e.fits(l, c.octets, reserve)
	}
	if ok {
		if reserve {
			c.entry, c.read = e, read
		}
		return nil
	}
	if !l.Refuse || !sure {
		return k.refused(quotaMailbox, ErrOver)
	}
	return k.refuse(ctx, e, c, reserve)
}

// refuse looks at every datacenter before a permanent refusal. If the limits or the usage have become unknown, the refusal is
// temporary.
func (k *Keeper) refuse(ctx context.Context, e *entry, c *Claim, reserve bool) error {
	l, err := k.lookEverywhere(ctx, e, c.recipient)
	if err != nil {
		return k.refused(quotaMailbox, err)
	}
	if ok, _, read := e.fits(l.limits, c.octets, reserve); ok {
		if reserve {
			c.entry, c.read = e, read
		}
		return nil
	}
	if !l.limits.Refuse || l.usage.plus(Usage{c.octets, 1}).within(l.limits.Octets, l.limits.Messages) {
		return k.refused(quotaMailbox, ErrOver)
	}
	return k.refused(quotaMailbox, ErrRefused)
}

// lookEverywhere reads the limits and the usage of the mailbox of r from every datacenter. Senders that anybody may be cause the
// look: callers share a look, also in vain, for refuseAge at least, and for readShare times its duration. Errors: ErrOver, which
// wraps the cause.
func (k *Keeper) lookEverywhere(ctx context.Context, e *entry, r mail.Recipient) (look, error) {
	if l, ok := e.seen(r.Limits, k.cfg.Now()); ok {
		return l, l.err
	}
	if err := e.take(ctx); err != nil {
		return look{}, fmt.Errorf("%w; the usage elsewhere is unknown: %w", ErrOver, err)
	}
	defer e.release()
	began := k.cfg.Now()
	if l, ok := e.seen(r.Limits, began); ok {
		return l, l.err
	}
	l := look{known: r.Limits}
	var err error
	if l.limits, err = k.dir.Limits(ctx, r.Account); err != nil {
		l.err = fmt.Errorf("%w; the limits are unknown: %w", ErrOver, err)
	} else if l.usage, err = Measure(ctx, k.mail.Each, r.Mailbox, l.limits.Retention, began); err != nil {
		l.err = fmt.Errorf("%w; the usage elsewhere is unknown: %w", ErrOver, err)
	}
	now := k.cfg.Now()
	l.age = max(refuseAge, readShare*now.Sub(began))
	l.until = now.Add(l.age)
	if l.err == nil || ctx.Err() == nil { // otherwise only this caller gave up
		e.noteLook(l)
	}
	return l, l.err
}

// refused counts a refusal and returns err.
func (k *Keeper) refused(quota string, err error) error {
	k.metrics.refused(quota, err)
	return err
}

func (k *Keeper) entry(mailbox mail.MailboxID) *entry {
	if e, ok := k.mailboxes.Get(mailbox); ok {
		return e
	}
	return k.mailboxes.Add(mailbox, newEntry())
}

// refresh reads the usage of the mailbox of r, unless the usage is younger than ttl. Callers that need the
// same usage wait for one read, and share its failure.
func (k *Keeper) refresh(ctx context.Context, e *entry, r mail.Recipient, ttl time.Duration) error {
	if e.fresh(k.cfg.Now(), ttl) {
		return nil
	}
	failures, _ := e.failed()
	if err := e.take(ctx); err != nil {
		return fmt.Errorf("quota: wait for the usage of mailbox %s: %w", r.Mailbox, err)
	}
	defer e.release()
	began := k.cfg.Now()
	if e.fresh(began, ttl) {
		return nil
	}
	if n, err := e.failed(); n > failures {
		return err
	}
	e.beginRead()
	u, err := Measure(ctx, k.mail.Local, r.Mailbox, r.Limits.Retention, began)
	k.metrics.read(err)
	if err != nil {
		if ctx.Err() != nil { // only this caller gave up
			e.failRead(nil)
		} else {
			e.failRead(err)
		}
		return err
	}
	e.endRead(u, began, max(k.cfg.Now().Sub(began), 0))
	return nil
}

// fresh reports whether the last read is younger than ttl.
func (e *entry) fresh(now time.Time, ttl time.Duration) bool {
	age, took, ok := e.age(now)
	return ok && age < max(ttl, readShare*took)
}

// Claim is a place for a message in a mailbox with a quota. A nil Claim needs no place.
type Claim struct {
	keeper    *Keeper
	recipient mail.Recipient
	octets    int64
	entry     *entry // of a mailbox with a quota
	read      int    // see entry.fits
	domain    *domainEntry
}

// Done ends the claim. stored reports that the message is stored, or may be. Done may be called again.
func (c *Claim) Done(stored bool) {
	if c == nil {
		return
	}
	if c.domain != nil {
		c.domain.settle(c.octets, stored, c.keeper.cfg.Now())
	}
	if c.entry != nil {
		before, after := c.entry.settle(c.octets, stored, c.read)
		c.keeper.warn(c.recipient, before, after)
	}
	c.entry, c.domain = nil, nil
}

// Removed notes that the local server has removed messages from a mailbox. A mailbox that is not remembered
// costs nothing.
func (k *Keeper) Removed(mailbox mail.MailboxID, removed Usage) {
	if e, ok := k.mailboxes.Get(mailbox); ok {
		e.removed(removed)
	}
}

// Usage returns the usage of a mailbox, at most Config.TTL old. Errors: the store's.
func (k *Keeper) Usage(ctx context.Context, mailbox mail.MailboxID, retention mail.Retention) (Usage, error) {
	e := k.entry(mailbox)
	r := mail.Recipient{Mailbox: mailbox, Limits: mail.Limits{Retention: retention}}
	if err := k.refresh(ctx, e, r, k.cfg.TTL); err != nil {
		return Usage{}, err
	}
	return e.usage(), nil
}
