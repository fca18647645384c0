package delivery

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"popelago/account"
	"popelago/defaults"
	"popelago/event"
	"popelago/ledger"
	"popelago/mail"
	"popelago/quota"
	"popelago/store"
)

// MaxIDAge limits the age of a MessageID when its rows are written; a third of Config.Window applies
// if shorter. It is one twelfth of the hour that background jobs leave to deliveries in flight.
const MaxIDAge = store.MaxIDAge

// Config holds the settings of a Deliverer. The zero value of each field means its default, see
// DefaultConfig.
type Config struct {
	// MaxMessageSize limits a text, in octets as the sender counts them: line ends as CRLF, without
	// dot-stuffing and without the lines that delivery adds.
	MaxMessageSize int64
	// MaxReceived limits the Received lines of a text. RFC 5321 section 6.3 asks for at least 100.
	MaxReceived int
	// MaxCopies limits the copies of a message in one mailbox, which gets a copy for each address that RCPT named: otherwise a
	// sender could make the server store many times the octets that the sender has sent. The RFC asks for 100 recipients at
	// least (RFC 5321 section 4.5.3.1.8).
	MaxCopies int
	// Free returns the free octets of the disk that holds incoming texts. Nil: the disk does not
	// limit incoming texts.
	Free func() (int64, error)
	// MaxUnfinished limits the octets of all incoming texts, without the first 256 KiB of each, in
	// percent of the free space.
	MaxUnfinished int
	// MaxUnfinishedPerNetwork is the same limit for the SMTP clients of one network, see mail.ClientNetwork. The limit for an IPv6
	// region is midway between both.
	MaxUnfinishedPerNetwork int
	// StoreTimeout limits the time to store a complete message. Zero means the maximum: the age that
	// an id may reach, see MaxIDAge.
	StoreTimeout time.Duration
	// Postmaster receives the mail for <Postmaster> without domain, and for postmaster in hosted
	// domains without such an account (RFC 5321 section 4.5.1). Zero: no address does.
	Postmaster mail.Address
	// Window is the in-flight window of the store: background work leaves younger ids alone.
	Window time.Duration

	// Ledger recognizes repeated deliveries. Nil: a ledger that no other server shares.
	Ledger *ledger.Ledger
	// Quota knows the usage of mailboxes. Nil: a keeper of its own.
	Quota *quota.Keeper
	// Events gets an event for each recipient of a complete text, and for recipients over quota at RCPT. Nil: none.
	Events event.Listener
	// Now returns the time. Nil: time.Now.
	Now func() time.Time
	// IDs makes the message ids. Nil: a source of its own.
	IDs *mail.IDSource
	// Logger receives messages for the operator. Nil: no log.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{
		MaxMessageSize:          150 << 20,
		MaxReceived:             100,
		MaxCopies:               100,
		MaxUnfinished:           50,
		MaxUnfinishedPerNetwork: 25,
		Window:                  store.DefaultWindow,
	}
}

func (c Config) withDefaults() Config {
	c = defaults.Fill(c, DefaultConfig())
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

// maxIDAge limits the age of an id when the first rows are written under it.
func (c Config) maxIDAge() time.Duration { return store.MaxIDAgeIn(c.Window) }

// Deliverer accepts messages. Safe for concurrent use. It needs no Close.
type Deliverer struct {
	cfg     Config
	dir     *account.Directory
	mail    store.Levels[store.Mail]
	ledger  *ledger.Ledger
	quota   *quota.Keeper
	metrics *metrics
	room    *room
	buffers sync.Pool // of *[]byte, bufferSize each
	// overQuotas bounds the events about refused RCPT commands.
	overQuotas overQuotas
}

// bufferSize is the size of the pieces in which a text passes, in octets.
const bufferSize = 32 << 10

// New makes a Deliverer and registers its metrics with reg (nil: the metrics stay unregistered).
func New(cfg Config, dir *account.Directory, st store.Store, reg prometheus.Registerer) (*Deliverer, error) {
	cfg = cfg.withDefaults()
	if !cfg.Postmaster.IsZero() {
		if err := cfg.Postmaster.Validate(); err != nil {
			return nil, fmt.Errorf("delivery: postmaster: %w", err)
		}
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, fmt.Errorf("delivery: metrics: %w", err)
	}
	r := newRoom(cfg)
	if reg != nil {
		if err := r.register(reg); err != nil {
			return nil, fmt.Errorf("delivery: metrics: %w", err)
		}
	}
	l := cfg.Ledger
	if l == nil {
		if l, err = ledger.New(ledger.Config{Window: cfg.Window, Now: cfg.Now, Logger: cfg.Logger}, st, reg); err != nil {
			return nil, err
		}
	}
	q := cfg.Quota
	if q == nil {
		if q, err = quota.New(quota.Config{Now: cfg.Now, Logger: cfg.Logger}, dir, st, reg); err != nil {
			return nil, err
		}
	}
	return &Deliverer{
		cfg: cfg, dir: dir, mail: st.Mail, ledger: l, quota: q, metrics: m, room: r,
		buffers: sync.Pool{New: func() any { b := make([]byte, bufferSize); return &b }},
	}, nil
}

// MaxMessageSize returns the limit that SIZE announces (RFC 1870).
func (d *Deliverer) MaxMessageSize() int64 { return d.cfg.MaxMessageSize }

// Check looks up the recipients of a RCPT command: at least one, and several behind an alias or a group. An
// address with an empty domain and the local-part postmaster, in any case, means Config.Postmaster.
//
// Errors: account.ErrNoSuchRecipient, account.ErrDisabled, account.ErrMisdirected, ErrNotHosted, the
// store's.
func (d *Deliverer) Check(ctx context.Context, a mail.Address) ([]mail.Recipient, error) {
	postmaster := strings.EqualFold(a.Local, "postmaster")
	if a.Domain == "" {
		if !postmaster || d.cfg.Postmaster.IsZero() {
			return nil, account.ErrNoSuchRecipient
		}
		return d.dir.Expand(ctx, d.cfg.Postmaster)
	}
	r, err := d.dir.Expand(ctx, a)
	switch {
	case errors.Is(err, account.ErrNotHosted):
		return nil, ErrNotHosted
	case errors.Is(err, account.ErrNoSuchRecipient) && postmaster && !d.cfg.Postmaster.IsZero():
		return d.dir.Expand(ctx, d.cfg.Postmaster)
	}
	return r, err
}

// ReplyLost notes that the reply with a result may not have reached the sender: the connection
// failed. If the sender repeats the message, no second copy is stored. ctx may have ended.
func (d *Deliverer) ReplyLost(ctx context.Context, res Result) { d.ledger.ReplyLost(ctx, res.receipt) }
