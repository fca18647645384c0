package delivery

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// MaxIDAge is how old a MessageID may be when its rows are written, or a third of Config.Window
// if that is shorter: one twelfth of the hour that background jobs leave to what is in flight.
const MaxIDAge = 5 * time.Minute

// Config holds the settings of a Deliverer. The zero value of each field means its default.
type Config struct {
	// MaxMessageSize limits a text, in octets as the sender counts them: line ends as CRLF,
	// without dot-stuffing and without the lines that we add. Default 150 MiB.
	MaxMessageSize int64
	// MaxReceived is how many Received lines a message may bring along. Default 100 (RFC 5321
	// section 6.3 asks for at least 100).
	MaxReceived int
	// Free tells how many octets may be written to the disk that texts are kept on while they
	// come in. Nil: what comes in is not bounded by it.
	Free func() (int64, error)
	// MaxUnfinished is how much of the free space, in percent, texts may take together while they
	// come in, without the first 256 KiB of each. Default 50.
	MaxUnfinished int
	// MaxUnfinishedPerNetwork is the same for the SMTP clients of one network. Default 25.
	MaxUnfinishedPerNetwork int
	// StoreTimeout limits storing a message once all of it is there. Default, and longest
	// possible, is how old an id may become, see MaxIDAge.
	StoreTimeout time.Duration
	// Postmaster gets the mail for <Postmaster> without domain, and for postmaster in hosted
	// domains that have no such account (RFC 5321 section 4.5.1). Zero: there is none.
	Postmaster mail.Address

	// LedgerSize limits what is remembered of deliveries that may be repeated though some of the
	// message is stored, in recipients. Default 100,000.
	LedgerSize int
	// LedgerKeep is how long that is remembered. Default 4h.
	LedgerKeep time.Duration
	// LedgerPoll is how often what other servers of the same store remember is read; somebody has
	// to run Share then. Zero: no other server has it.
	LedgerPoll time.Duration
	// Window is the store's in-flight window: background work leaves ids alone that are
	// younger. Default 1h.
	Window time.Duration

	// Now tells the time. Default time.Now.
	Now func() time.Time
	// IDs makes the message ids. Default: a source of its own.
	IDs *mail.IDSource
	// Logger takes what an operator should know. Default: nothing is logged.
	Logger *slog.Logger
}

func (c Config) withDefaults() Config {
	if c.MaxMessageSize <= 0 {
		c.MaxMessageSize = 150 << 20
	}
	if c.MaxReceived <= 0 {
		c.MaxReceived = 100
	}
	if c.MaxUnfinished <= 0 {
		c.MaxUnfinished = 50
	}
	if c.MaxUnfinishedPerNetwork <= 0 {
		c.MaxUnfinishedPerNetwork = 25
	}
	if c.LedgerSize <= 0 {
		c.LedgerSize = 100_000
	}
	if c.LedgerKeep <= 0 {
		c.LedgerKeep = 4 * time.Hour
	}
	if c.Window <= 0 {
		c.Window = time.Hour
	}
	if c.StoreTimeout <= 0 || c.StoreTimeout > c.maxIDAge() {
		c.StoreTimeout = c.maxIDAge()
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.IDs == nil {
		c.IDs = mail.NewIDSource(c.Now)
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

// maxIDAge is how old an id may be when rows are written under it for the first time.
func (c Config) maxIDAge() time.Duration { return min(MaxIDAge, c.Window/3) }

// Deliverer accepts messages. Safe for concurrent use. It needs no Close, but where several
// servers have one store Share has to run.
type Deliverer struct {
	cfg     Config
	dir     *account.Directory
	mail    store.Levels[store.Mail]
	shared  store.Levels[store.Ledger]
	metrics *metrics
	ledger  *ledger
	sharing sharing
	room    *room
	buffers sync.Pool // of *[]byte, bufferSize each
}

// bufferSize is how much of a text is handed on at a time.
const bufferSize = 32 << 10

// New makes a Deliverer and registers its metrics with reg (nil: they are not registered).
func New(cfg Config, dir *account.Directory, st store.Store, reg prometheus.Registerer) (*Deliverer, error) {
	cfg = cfg.withDefaults()
	if !cfg.Postmaster.IsZero() {
		if err := cfg.Postmaster.Validate(); err != nil {
			return nil, fmt.Errorf("delivery: postmaster: %w", err)
		}
	}
	l := newLedger(cfg.LedgerSize, cfg.LedgerPoll > 0)
	m, err := newMetrics(reg, l.count)
	if err != nil {
		return nil, fmt.Errorf("delivery: metrics: %w", err)
	}
	r := newRoom(cfg)
	if reg != nil {
		if err := r.register(reg); err != nil {
			return nil, fmt.Errorf("delivery: metrics: %w", err)
		}
	}
	return &Deliverer{
		cfg: cfg, dir: dir, mail: st.Mail, shared: st.Ledger, metrics: m, ledger: l, room: r,
		buffers: sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }},
	}, nil
}

// MaxMessageSize is what SIZE announces (RFC 1870).
func (d *Deliverer) MaxMessageSize() int64 { return d.cfg.MaxMessageSize }

// Check finds out whether a recipient can be accepted. An address with an empty domain and
// the local-part postmaster, in any case, means Config.Postmaster.
//
// Errors: account.ErrNoSuchRecipient, account.ErrDisabled, ErrNotHosted, the store's.
func (d *Deliverer) Check(ctx context.Context, a mail.Address) (mail.Recipient, error) {
	postmaster := strings.EqualFold(a.Local, "postmaster")
	if a.Domain == "" {
		if !postmaster || d.cfg.Postmaster.IsZero() {
			return mail.Recipient{}, account.ErrNoSuchRecipient
		}
		return d.dir.Resolve(ctx, d.cfg.Postmaster)
	}
	r, err := d.dir.Resolve(ctx, a)
	switch {
	case errors.Is(err, account.ErrNotHosted):
		return mail.Recipient{}, ErrNotHosted
	case errors.Is(err, account.ErrNoSuchRecipient) && postmaster && !d.cfg.Postmaster.IsZero():
		return d.dir.Resolve(ctx, d.cfg.Postmaster)
	}
	return r, err
}

// Deliver stores one message that comes in one piece, and returns one error for each
// recipient of e, in order. It reads r to its end unless it fails earlier.
//
// Errors: ErrTooLarge, ErrBareLineEnd, ErrLoop; those of the store; the error of r, wrapped:
// then nothing is stored.
func (d *Deliverer) Deliver(ctx context.Context, e mail.Envelope, r io.Reader) []error {
	in, err := d.Begin(ctx, e)
	if err == nil {
		defer in.Discard()
		_, err = in.ReadFrom(r)
	}
	if err != nil {
		errs := make([]error, len(e.Recipients))
		for i := range errs {
			errs[i] = err
		}
		return errs
	}
	return in.Finish(ctx).Errors
}
