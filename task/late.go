package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/account"
	"popelago/mail"
	"popelago/store"
)

// What handing late mail over may answer.
var (
	// ErrNotLate: what was named is no late mail, or is there no more.
	ErrNotLate = errors.New("no such late mail")
	// ErrSeveralOwners: the address has late mail of several former accounts. They had
	// different owners: a mailbox has to be named.
	ErrSeveralOwners = errors.New("the late mail is of several former accounts: name the mailbox")
)

// LateMessage is a message that was accepted for an account that had ended, or is in the mailbox
// of one that another has displaced. It is in no maildrop.
type LateMessage struct {
	// Address is that of the account; Mailbox is the account's own.
	Address mail.Address
	Mailbox mail.MailboxID
	// Ended is when the account ended, or gave way to another.
	Ended time.Time
	// Displaced: the account gave way to another; its mail stays for as long as that.
	Displaced bool
	// Message is the entry. Its id has the time of the delivery.
	Message mail.Message
	// ReversePath is the envelope's; empty also if the content is not there.
	ReversePath string
}

// LateSelection names late mail.
type LateSelection struct {
	// Address is that of the ended account.
	Address mail.Address
	// Mailbox, if not zero, is the only one. It has to be given if several former accounts of
	// the address have late mail.
	Mailbox mail.MailboxID
	// Message, if not zero, is the only one.
	Message mail.MessageID
}

// Late shows late mail, hands it over and drops it, when asked to. Safe for concurrent use: what
// two do at once is done once or twice, and listed once.
type Late struct {
	dir       *account.Directory
	mail      store.Levels[store.Mail]
	directory store.Levels[store.Directory]
	ids       *mail.IDSource
	now       func() time.Time
}

// NewLate makes a Late. ids and now may be nil.
func NewLate(dir *account.Directory, st store.Store, ids *mail.IDSource, now func() time.Time) *Late {
	if now == nil {
		now = time.Now
	}
	if ids == nil {
		ids = mail.NewIDSource(now)
	}
	return &Late{dir: dir, mail: st.Mail, directory: st.Directory, ids: ids, now: now}
}

// List returns late mail of one address, or of all (the zero address), which takes a walk through
// the whole directory, up to limit messages. more reports whether there is more.
//
// Errors: those of package store.
func (l *Late) List(ctx context.Context, a mail.Address, limit int) (list []LateMessage, more bool, err error) {
	take := func(m LateMessage) bool {
		if more = len(list) == limit; !more {
			list = append(list, m)
		}
		return !more
	}
	if !a.IsZero() {
		err = l.of(ctx, l.directory.Local, l.mail.Local, a, take)
	} else {
		err = l.dir.RemovedMailboxes(ctx, nil, func(m account.RemovedMailbox) error {
			if more {
				return errEnough
			}
			after := m.Removed
			if m.Displaced {
				after = mail.MessageID{}
			}
			return eachBehind(ctx, l.mail.Local, m.Mailbox, after, func(row mail.Message) {
				take(LateMessage{Address: m.Address, Mailbox: m.Mailbox, Ended: m.Removed.Time(), Displaced: m.Displaced, Message: row})
			})
		})
	}
	if err != nil && !errors.Is(err, errEnough) {
		return nil, false, err
	}
	for i := range list {
		if list[i].ReversePath, err = l.sender(ctx, list[i].Message); err != nil {
			return nil, false, err
		}
	}
	return list, more, nil
}

// errEnough ends a walk.
var errEnough = errors.New("enough")

// of calls fn with the late mail of one canonical address until it returns false.
func (l *Late) of(ctx context.Context, directory store.Directory, mailboxes store.Mailboxes, a mail.Address, fn func(LateMessage) bool) error {
	owners, err := ownersOf(ctx, directory, a.Canonical())
	if err != nil {
		return err
	}
	var live mail.MessageID
	for _, o := range owners {
		if o.live {
			live = o.generation
		}
	}
	going := true
	for _, o := range owners {
		m := LateMessage{Address: o.address, Mailbox: o.mailbox}
		switch {
		case o.live || !o.exists && o.removed.IsZero():
			continue
		case o.removed.IsZero():
			m.Displaced, m.Ended = true, live.Time()
		default:
			m.Ended = o.removed.Time()
		}
		err := eachBehind(ctx, mailboxes, o.mailbox, o.removed, func(row mail.Message) {
			m.Message = row
			going = going && fn(m)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// sender reads the reverse-path of a message.
func (l *Late) sender(ctx context.Context, m mail.Message) (string, error) {
	info, body, err := l.mail.Local.OpenContent(ctx, m.ID, m.Origin)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
		return "", nil // that it cannot be fetched shows when it is handed over
	case err != nil:
		return "", fmt.Errorf("task: late mail: %w", err)
	}
	return info.ReversePath, body.Close()
}

// selected returns the late mail that s names, as all replicas know it. Errors: ErrNotLate,
// ErrSeveralOwners, ErrNotAll, those of package store.
func (l *Late) selected(ctx context.Context, s LateSelection) (list []LateMessage, err error) {
	if err := l.mail.All.Clock(); err != nil {
		return nil, fmt.Errorf("task: late mail has to wait: %w", err)
	}
	err = l.of(ctx, l.directory.All, l.mail.All, s.Address, func(m LateMessage) bool {
		if (s.Mailbox.IsZero() || s.Mailbox == m.Mailbox) && (s.Message.IsZero() || s.Message == m.Message.ID) {
			list = append(list, m)
		}
		return true
	})
	if err != nil {
		return nil, explainCheck(err)
	}
	if len(list) == 0 {
		return nil, fmt.Errorf("%s: %w", s.Address, ErrNotLate)
	}
	for _, m := range list {
		if m.Mailbox != list[0].Mailbox {
			return nil, fmt.Errorf("%s: %w", s.Address, ErrSeveralOwners)
		}
	}
	return list, nil
}

// HandOver moves late mail into the maildrop of an existing account, as durably as that account's
// domain asks for, and returns how many messages it moved. Each is copied to a new id, at the end
// of the maildrop, keeps its unique-id and its octets, and is then removed where it was. Repeating
// it after an error goes on.
//
// Errors: account.ErrNoSuchAccount, account.ErrDisabled, ErrNotLate, ErrSeveralOwners, ErrNotAll,
// those of package store; store.ErrCorrupt, store.ErrNotFound: the content of a message cannot be
// read, and it stays.
func (l *Late) HandOver(ctx context.Context, s LateSelection, to mail.Address) (n int, err error) {
	r, err := l.dir.Resolve(ctx, to)
	if errors.Is(err, account.ErrNoSuchRecipient) {
		err = fmt.Errorf("account %s: %w", to, account.ErrNoSuchAccount)
	}
	if err != nil {
		return 0, err
	}
	list, err := l.selected(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, m := range list {
		if err := l.handOver(ctx, m, r); err != nil {
			return n, fmt.Errorf("task: hand message %s over to %s: %w", m.Message.ID, to, err)
		}
		n++
	}
	return n, nil
}

func (l *Late) handOver(ctx context.Context, m LateMessage, to mail.Recipient) error {
	there, err := l.has(ctx, to.Mailbox, m.Message)
	if err != nil {
		return err
	}
	if !there {
		if err := l.copy(ctx, m.Message, to); err != nil {
			return err
		}
	}
	return l.remove(ctx, m)
}

// has reports whether a mailbox holds a copy of a message: of a hand-over that was stopped half
// way.
func (l *Late) has(ctx context.Context, mailbox mail.MailboxID, m mail.Message) (there bool, err error) {
	err = eachBehind(ctx, l.mail.Local, mailbox, m.ID, func(row mail.Message) {
		there = there || row.UniqueID() == m.UniqueID()
	})
	return there, err
}

// copy stores a copy of a message for a recipient, under a new id.
func (l *Late) copy(ctx context.Context, m mail.Message, to mail.Recipient) error {
	info, body, err := l.mail.Local.OpenContent(ctx, m.ID, m.Origin)
	if err != nil {
		return err
	}
	defer body.Close()
	content, err := copyContent(ctx, l.mail.Local, info, body)
	if err != nil {
		return err
	}
	defer content.Discard()
	id, err := store.NextID(ctx, l.mail.Local, l.ids)
	if err != nil {
		return err
	}
	anew := copyOf(m, id, info)
	_, err = l.mail.Durably(to.Durability, func(st store.Mail) error {
		return st.PutContent(ctx, anew.ID, content, store.ContentInfo{ReversePath: info.ReversePath, Mailboxes: []mail.MailboxID{to.Mailbox}})
	})
	if err != nil {
		return err
	}
	entry := store.Entry{Mailbox: to.Mailbox, Message: anew, Bulk: to.Bulk}
	_, err = l.mail.Durably(to.Durability, func(st store.Mail) error { return st.AddMessages(ctx, []store.Entry{entry})[0] })
	if err == nil && l.now().Round(0).Sub(anew.ID.Time()) > maxAnewAge {
		err = fmt.Errorf("it took too long: %w", store.ErrUnavailable)
	}
	if err != nil {
		undo := context.WithoutCancel(ctx)
		return errors.Join(err, l.mail.Local.RemoveMessages(undo, to.Mailbox, []mail.MessageID{anew.ID}))
	}
	return nil
}

// Drop removes late mail for good, and returns how many messages.
//
// Errors: ErrNotLate, ErrSeveralOwners, ErrNotAll, those of package store.
func (l *Late) Drop(ctx context.Context, s LateSelection) (n int, err error) {
	list, err := l.selected(ctx, s)
	if err != nil {
		return 0, err
	}
	for _, m := range list {
		if err := l.remove(ctx, m); err != nil {
			return n, err
		}
		n++
	}
	return n, nil
}

// remove takes a message out of the mailbox of its ended account.
func (l *Late) remove(ctx context.Context, m LateMessage) error {
	if err := l.mail.Local.RemoveMessages(ctx, m.Mailbox, []mail.MessageID{m.Message.ID}); err != nil {
		return fmt.Errorf("task: remove late message %s of mailbox %s: %w", m.Message.ID, m.Mailbox, err)
	}
	return nil
}
