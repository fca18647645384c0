package visit

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/time/rate"

	"popelago/cache"
	"popelago/defaults"
	"popelago/mail"
	"popelago/store"
)

// Config holds the settings of a Keeper. The zero value of each field means its default, see DefaultConfig.
type Config struct {
	// LoginEvery is the least time between two notes about the logins of an account, on this server.
	// Negative: no login is noted.
	LoginEvery time.Duration
	// Accounts is the largest number of accounts whose last note is remembered, about 140 octets each. A
	// forgotten account costs one more note.
	Accounts int
	// Waiting is the largest number of notes that wait for the store, about 32 octets each.
	Waiting int
	// Writers is the number of writes at one time.
	Writers int
	// Timeout bounds one write.
	Timeout time.Duration

	// Now returns the time. Default time.Now.
	Now func() time.Time
	// Logger receives failed writes, at most one line a minute. Default: no log.
	Logger *slog.Logger
}

// DefaultConfig returns the defaults of all settings that have a default value.
func DefaultConfig() Config {
	return Config{LoginEvery: time.Hour, Accounts: 100_000, Waiting: 200_000, Writers: 4, Timeout: 10 * time.Second}
}

// Keeper notes visits. See New.
type Keeper struct {
	cfg     Config
	store   store.Store
	metrics *metrics
	trouble rate.Sometimes // of the log
	logins  cache.Cache[mail.MailboxID, time.Time]

	writers sync.WaitGroup
	ctx     context.Context // of the writes
	cancel  context.CancelFunc

	mu      sync.Mutex
	more    sync.Cond // signals a visit in queue, or closed
	queue   []visit
	waiting int // notes in queue
	closed  bool
}

// visit is a part of the work of a writer.
type visit struct {
	what    string // whatLogin or whatRetrieval
	mailbox mail.MailboxID
	at      time.Time
	ids     []mail.MessageID // retrieved
	keep    time.Duration
}

func (v visit) notes() int { return max(len(v.ids), 1) }

// New makes a Keeper and registers its metrics with reg, which may be nil. Close must follow.
func New(cfg Config, st store.Store, reg prometheus.Registerer) (*Keeper, error) {
	cfg = defaults.Fill(cfg, DefaultConfig())
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.Logger == nil {
		cfg.Logger = slog.New(slog.DiscardHandler)
	}
	m, err := newMetrics(reg)
	if err != nil {
		return nil, err
	}
	k := &Keeper{cfg: cfg, store: st, metrics: m, logins: cache.New[mail.MailboxID, time.Time](cfg.Accounts), trouble: rate.Sometimes{First: 1, Interval: time.Minute}}
	k.more.L = &k.mu
	k.ctx, k.cancel = context.WithCancel(context.Background())
	for range cfg.Writers {
		k.writers.Go(k.write)
	}
	return k, nil
}

// Close writes the waiting notes, and gives up at the end of ctx. Later visits are not noted.
func (k *Keeper) Close(ctx context.Context) {
	k.mu.Lock()
	k.closed = true
	k.more.Broadcast()
	k.mu.Unlock()
	stop := context.AfterFunc(ctx, k.cancel)
	defer stop()
	k.writers.Wait()
	k.cancel()
}

// LoggedIn notes a login, at most once in Config.LoginEvery for each account.
func (k *Keeper) LoggedIn(mailbox mail.MailboxID) {
	if k.cfg.LoginEvery < 0 {
		return
	}
	now := k.cfg.Now()
	due := false
	k.logins.Change(mailbox, func(last time.Time, known bool) (time.Time, bool) {
		passed := now.Sub(last)
		due = !known || passed >= k.cfg.LoginEvery || passed < 0
		return now, due
	})
	if due && !k.add(visit{what: whatLogin, mailbox: mailbox, at: now}) {
		k.logins.Remove(mailbox)
	}
}

// Retrieved notes that messages of a mailbox were retrieved until now, and keeps the notes for keep.
func (k *Keeper) Retrieved(mailbox mail.MailboxID, ids []mail.MessageID, keep time.Duration) {
	if len(ids) > 0 {
		k.add(visit{what: whatRetrieval, mailbox: mailbox, at: k.cfg.Now(), ids: ids, keep: keep})
	}
}

// add hands a visit to the writers, unless too many notes wait.
func (k *Keeper) add(v visit) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.closed || k.waiting > 0 && k.waiting+v.notes() > k.cfg.Waiting {
		k.metrics.count(v, resultDropped)
		return false
	}
	k.queue = append(k.queue, v)
	k.waiting += v.notes()
	k.more.Signal()
	return true
}

// next waits for a visit. ok is false after Close and the last visit.
func (k *Keeper) next() (v visit, ok bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for len(k.queue) == 0 {
		if k.closed {
			return v, false
		}
		k.more.Wait()
	}
	v = k.queue[0]
	k.queue[0] = visit{}
	if k.queue = k.queue[1:]; len(k.queue) == 0 {
		k.queue = nil // without the capacity of a peak
	}
	k.waiting -= v.notes()
	return v, true
}

// write writes visits until Close.
func (k *Keeper) write() {
	for {
		v, ok := k.next()
		if !ok {
			return
		}
		ctx, cancel := context.WithTimeout(k.ctx, k.cfg.Timeout)
		err := k.note(ctx, v)
		cancel()
		if err == nil {
			k.metrics.count(v, resultWritten)
			continue
		}
		k.metrics.count(v, resultFailed)
		if v.what == whatLogin {
			k.logins.Remove(v.mailbox)
		}
		if errors.Is(err, store.ErrClock) {
			continue // the store has logged the clock
		}
		k.trouble.Do(func() {
			k.cfg.Logger.Warn("a visit could not be noted", "what", v.what, "mailbox", v.mailbox.String(), "cause", err)
		})
	}
}

func (k *Keeper) note(ctx context.Context, v visit) error {
	if v.what == whatLogin {
		return k.store.Directory.Local.NoteLogin(ctx, v.mailbox, v.at)
	}
	return k.store.Mail.Local.NoteRetrieved(ctx, v.mailbox, v.ids, v.at, v.keep)
}
