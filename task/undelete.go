package task

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// ErrRestoring: this server is restoring messages of the same account.
var ErrRestoring = errors.New("a restore of this maildrop is running")

// UndeleteConfig holds the settings of an Undelete. The zero value of each field means its default.
type UndeleteConfig struct {
	// Window is the time for which the content of removed messages is kept. Default
	// store.DefaultWindow.
	Window time.Duration
	// IDs makes the ids of copies. Default: a source of its own.
	IDs *mail.IDSource
	// Now returns the time. Default time.Now.
	Now func() time.Time
}

// Undelete lists the removed messages of an account and restores them. A restore is an import: the
// message gets a new id, and keeps its octets and its unique-id. The old id stays removed. Only the
// present account of an address gets its messages back: an account made again has another mailbox.
//
// A unique-id stands for a message: removed, restored and removed again, the message is listed once. So
// a repeated restore, or a restore on both sides of a cut, makes a single message: the maildrop lists
// copies with equal unique-ids once, and removes the copies together.
//
// Safe for concurrent use.
type Undelete struct {
	copier
	dir    *account.Directory
	window time.Duration

	mu   sync.Mutex
	busy map[mail.MailboxID]bool // with a running restore
	// unread holds messages whose content the last restore, which ran out of time, could not read. Their turn comes last.
	unread map[mail.MailboxID]map[mail.UIDL]bool
}

// NewUndelete makes an Undelete.
func NewUndelete(cfg UndeleteConfig, dir *account.Directory, st store.Store) *Undelete {
	if cfg.Window <= 0 {
		cfg.Window = store.DefaultWindow
	}
	return &Undelete{
		copier: newCopier(st.Mail, cfg.IDs, cfg.Now), dir: dir, window: cfg.Window,
		busy: map[mail.MailboxID]bool{}, unread: map[mail.MailboxID]map[mail.UIDL]bool{},
	}
}

// Window is the time for which the content of removed messages is kept.
func (u *Undelete) Window() time.Duration { return u.window }

// RemovedMessage is a removed message with its content.
type RemovedMessage struct {
	// Message is the row as it was. Size and Recipient are unknown (0, empty) if an older version of
	// the program removed the message.
	Message mail.Message
	// At is the time of the last removal.
	At time.Time
}

// RemovedList is a list of removed messages.
type RemovedList struct {
	// Messages are in the order of their removals, the last removal first.
	Messages []RemovedMessage
	// Next is the position of the next page, for List; empty: there is no further message.
	Next mail.UIDL
	// Partial reports that not every datacenter answered: messages removed elsewhere, a moment ago or
	// since the datacenters are cut off, may be missing.
	Partial bool
}

// List returns a page of the messages removed since a moment (zero: within the window), without the messages
// in the maildrop: up to limit messages whose unique-ids come behind after. Each page is in the order of the
// removals, and holds smaller unique-ids than the next page; so removals and restores between two pages neither
// hide nor repeat a message.
//
// Errors: mail.ErrBadAddress, account.ErrNoSuchAccount, those of package store.
func (u *Undelete) List(ctx context.Context, a mail.Address, since time.Time, after mail.UIDL, limit int) (RemovedList, error) {
	acc, err := u.dir.Maildrop(ctx, a)
	if err != nil {
		return RemovedList{}, err
	}
	return u.ListIn(ctx, acc, since, after, limit)
}

// ListIn is List for a maildrop that the caller has looked up: the mailbox stays the same if the address
// gets another account meanwhile.
func (u *Undelete) ListIn(ctx context.Context, acc account.Maildrop, since time.Time, after mail.UIDL, limit int) (RemovedList, error) {
	var err error
	search := removedSearch{account: acc, since: u.since(since), now: u.now(), batch: 2 * (limit + 1)}
	list := RemovedList{}
	list.Partial, err = u.widely(func(st store.Mail) error {
		found, next, err := search.page(ctx, st, after, limit)
		list.Messages, list.Next = nil, next
		for _, r := range found {
			list.Messages = append(list.Messages, RemovedMessage{Message: r[0].Message, At: r[0].At})
		}
		return err
	})
	return list, err
}

// since returns the first moment of a search.
func (u *Undelete) since(asked time.Time) time.Time {
	if asked.IsZero() {
		return u.now().Add(-u.window)
	}
	return asked
}

// widely reads from every datacenter. If a datacenter does not answer, widely reads from the local
// datacenter alone, and reports partial.
func (u *Undelete) widely(read func(store.Mail) error) (partial bool, err error) {
	w := u.mail.Wide()
	err = w.Read(read)
	return w.Partial(), err
}

// begin marks the mailbox as busy until the function returned is called. Errors: ErrRestoring.
func (u *Undelete) begin(mailbox mail.MailboxID) (end func(), err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.busy[mailbox] {
		return nil, ErrRestoring
	}
	u.busy[mailbox] = true
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		delete(u.busy, mailbox)
	}, nil
}

// RestoreSelection names the messages to be restored: the unique-ids, or, without any, all.
type RestoreSelection struct {
	UniqueIDs []mail.UIDL
	// Since is the moment from which removals count. Zero: the begin of the window.
	Since time.Time
	// Began is the begin of the restore that the call goes on with, see RestoreReport.Began. Messages removed
	// since then are left out. Zero: the call begins a restore.
	Began time.Time
	// Restored is called with each restored message, as the maildrop has it. Nil: nobody is told.
	Restored func(mail.Message)
}

// RestoreReport counts the work of RestoreIn.
type RestoreReport struct {
	// Messages and Octets count the restored messages.
	Messages int
	Octets   int64
	// There lists the named messages found in the maildrop.
	There []mail.UIDL
	// Missing lists the named messages without a removal.
	Missing []mail.UIDL
	// Gone counts the messages whose content is gone or damaged.
	Gone int
	// Waiting counts the messages whose content could not be read now, for example because it has
	// not arrived from another datacenter yet.
	Waiting int
	// More reports that time has run out: the restore must be repeated, with Began.
	More bool
	// Began is the begin of the restore.
	Began time.Time
	// Partial: see RemovedList.
	Partial bool
}

// restoreBatch is the count of messages between two reads of the trash.
const restoreBatch = 5000

// RestoreIn copies removed messages back into the maildrop of a live account that the caller has looked up, as for
// ListIn: in the order of their arrival, with the durability of the account's domain. RestoreIn starts no further
// copy after until. Messages in the maildrop are not copied again. The retention counts from the restore. A message whose
// content cannot be read now delays the others by probeWait at most, and a repetition tries it last.
//
// A mail program may empty the maildrop during a long restore. A message that the user removes after the begin of the
// restore stays removed, so no message comes back twice, and the restore ends.
//
// Errors: ErrRestoring, those of package store. The report also counts the messages restored before an error.
func (u *Undelete) RestoreIn(ctx context.Context, acc account.Maildrop, s RestoreSelection, until time.Time) (r RestoreReport, err error) {
	end, err := u.begin(acc.Mailbox)
	if err != nil {
		return r, err
	}
	defer end()
	unread := u.takeUnread(acc.Mailbox)
	defer func() {
		if r.More {
			u.keepUnread(acc.Mailbox, unread)
		}
	}()
	search := removedSearch{
		account: acc, since: u.since(s.Since), now: u.now(), batch: restoreBatch, tried: map[mail.UIDL]bool{}, wanted: wantedOf(s.UniqueIDs),
	}
	goesOn := !s.Began.IsZero()
	if r.Began = s.Began; !goesOn {
		r.Began = search.now
	}
	for ; ; goesOn = true {
		var found [][]store.Removal
		partial, err := u.widely(func(st store.Mail) error {
			if goesOn {
				if err := search.skipRemovedSince(ctx, st, r.Began); err != nil {
					return err
				}
			}
			found, err = search.run(ctx, st)
			return err
		})
		r.Partial = r.Partial || partial
		if err != nil {
			return r, err
		}
		if len(found) == 0 {
			break
		}
		byArrival(found)
		slices.SortStableFunc(found, func(a, b []store.Removal) int {
			return rank(unread[a[0].Message.UniqueID()]) - rank(unread[b[0].Message.UniqueID()])
		})
		for _, removals := range found {
			if r.More = !u.now().Before(until); r.More {
				return r, nil
			}
			id, waiting := removals[0].Message.UniqueID(), r.Waiting
			if waiting == 0 && len(unread) == 0 || u.isReadable(ctx, removals) {
				if err := u.restore(ctx, acc, removals, s.Restored, &r); err != nil {
					return r, err
				}
			} else {
				r.Waiting++
			}
			if search.tried[id] = true; r.Waiting > waiting {
				unread[id] = true
			}
		}
	}
	for _, id := range s.UniqueIDs {
		switch {
		case search.there[id]:
			r.There = append(r.There, id)
		case !search.tried[id]:
			r.Missing = append(r.Missing, id)
		}
	}
	return r, nil
}

// Limits of what a restore remembers and waits for.
const (
	probeWait       = time.Second // for a content, after a content that could not be read
	unreadMost      = 10_000      // messages of a mailbox
	unreadMaildrops = 1000
)

// rank sorts false before true.
func rank(last bool) int {
	if last {
		return 1
	}
	return 0
}

// takeUnread returns the messages that the last restore could not read, and forgets them.
func (u *Undelete) takeUnread(mailbox mail.MailboxID) map[mail.UIDL]bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	unread := u.unread[mailbox]
	delete(u.unread, mailbox)
	if unread == nil {
		unread = map[mail.UIDL]bool{}
	}
	return unread
}

// keepUnread remembers messages for takeUnread.
func (u *Undelete) keepUnread(mailbox mail.MailboxID, unread map[mail.UIDL]bool) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.unread) >= unreadMaildrops {
		clear(u.unread)
	}
	if len(unread) > 0 && len(unread) <= unreadMost {
		u.unread[mailbox] = unread
	}
}

// isReadable reports whether the content of a message can be opened soon, or is known to be gone.
func (u *Undelete) isReadable(ctx context.Context, removals []store.Removal) bool {
	wait, cancel := context.WithTimeout(ctx, probeWait)
	defer cancel()
	for _, r := range removals {
		_, body, err := u.mail.Local.OpenContent(wait, r.Message.ID, r.Message.Origin)
		if err == nil {
			body.Close()
		}
		if err == nil || errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
			return true
		}
	}
	return ctx.Err() != nil // restore returns the error
}

// restore copies a message from the content of any of its removals, and counts the result. restore
// returns only errors that concern further messages too.
func (u *Undelete) restore(ctx context.Context, acc account.Maildrop, removals []store.Removal, restored func(mail.Message), r *RestoreReport) error {
	var cause error
	for _, removal := range removals {
		m := removal.Message
		if m.Recipient == "" {
			m.Recipient = acc.Address.String() // an older version kept no row
		}
		anew, err := u.copy(ctx, m, acc.Recipient(), nil)
		switch {
		case err == nil:
			r.Messages++
			r.Octets += anew.Size
			if restored != nil {
				restored(anew)
			}
			return nil
		case ctx.Err() != nil || !errors.Is(err, errSource):
			return fmt.Errorf("task: restore message %s of %s: %w", m.ID, acc.Address, err)
		case cause == nil || !errors.Is(err, store.ErrNotFound) && !errors.Is(err, store.ErrCorrupt):
			cause = err
		}
	}
	if errors.Is(cause, store.ErrNotFound) || errors.Is(cause, store.ErrCorrupt) {
		r.Gone++
	} else {
		r.Waiting++
	}
	return nil
}
