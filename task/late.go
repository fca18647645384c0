package task

import (
	"context"
	"errors"
	"fmt"
	"time"

	"popelago/account"
	"popelago/event"
	"popelago/mail"
	"popelago/store"
)

// Errors of Late.
var (
	// ErrBadPage: the page of List begins at no place of the list.
	ErrBadPage = errors.New("after is not the next of a page of this list")
	// ErrNotLate: the selection names no late mail, or mail that has gone.
	ErrNotLate = errors.New("no such late mail")
	// ErrSeveralOwners: the address has late mail of several former accounts with different owners. The
	// selection must name a mailbox.
	ErrSeveralOwners = errors.New("the late mail is of several former accounts: name the mailbox")
	// ErrMoreLate: the time of the selection has run out, and further messages are selected. A repetition continues.
	ErrMoreLate = errors.New("more late mail is selected")
)

// LateMessage is a message accepted for an account after its end, or a message in the mailbox of a
// displaced account. No maildrop contains the message.
type LateMessage struct {
	// Address and Mailbox of the account.
	Address mail.Address
	Mailbox mail.MailboxID
	// Ended is the moment of the end of the account, or of its displacement.
	Ended time.Time
	// Displaced: a newer account displaced the account. The mail stays as long as the newer account.
	Displaced bool
	// Message is the entry. Its id carries the time of the delivery.
	Message mail.Message
	// ReversePath of the envelope; empty also if the content is missing.
	ReversePath string

	generation mail.MessageID // of the account
}

// LateSelection names late mail.
type LateSelection struct {
	// Address of the ended account.
	Address mail.Address
	// Mailbox, if not zero, limits the selection to one mailbox. Required if several former accounts
	// of the address have late mail.
	Mailbox mail.MailboxID
	// Message, if not zero, limits the selection to one message.
	Message mail.MessageID
	// Until, if not zero, is the moment after which HandOver and Drop begin with no further message. They end with
	// ErrMoreLate then, behind one message at least.
	Until time.Time
	// Left is called with each message that HandOver or Drop has removed from the mailbox of its ended account, with a
	// doubt if the message may be there still. Nil: nobody is told.
	Left func(m LateMessage, doubt string)
	// Arrived is called with each copy that HandOver has made, and its recipient. Nil: nobody is told.
	Arrived func(copied mail.Message, to mail.Recipient)
}

// Late lists, hands over and drops late mail on request. Safe for concurrent use: two concurrent
// hand-overs may copy a message twice, and the maildrop lists it once.
type Late struct {
	copier
	dir       *account.Directory
	directory store.Levels[store.Directory]
}

// NewLate makes a Late. ids and now may be nil.
func NewLate(dir *account.Directory, st store.Store, ids *mail.IDSource, now func() time.Time) *Late {
	return &Late{copier: newCopier(st.Mail, ids, now), dir: dir, directory: st.Directory}
}

// sender reads the reverse-path of a message.
func (l *Late) sender(ctx context.Context, m mail.Message) (string, error) {
	info, body, err := l.mail.Local.OpenContent(ctx, m.ID, m.Origin)
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrCorrupt):
		return "", nil // HandOver reports the missing content
	case err != nil:
		return "", fmt.Errorf("task: late mail: %w", err)
	}
	return info.ReversePath, body.Close()
}

// selected returns the late mail of a selection, from a read of all replicas. Errors: ErrNotLate,
// ErrSeveralOwners, ErrNotAll, those of package store.
func (l *Late) selected(ctx context.Context, s LateSelection) (list []LateMessage, err error) {
	if err := l.mail.All.Clock(); err != nil {
		return nil, fmt.Errorf("task: late mail has to wait: %w", err)
	}
	at := place{address: s.Address.Canonical()}
	err = eachLateOf(ctx, l.directory.All, l.mail.All, at, func(m LateMessage) error {
		if (s.Mailbox.IsZero() || s.Mailbox == m.Mailbox) && (s.Message.IsZero() || s.Message == m.Message.ID) {
			list = append(list, m)
		}
		return nil
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

// HandOver moves late mail into the maildrop of an existing account, with the durability of the
// account's domain, and returns the number of messages moved. HandOver copies each message to a new
// id, at the end of the maildrop, with the same unique-id and octets, and then removes the original. If a
// different message of the maildrop has the unique-id, the unique-id of the copy is made of the id of the original.
// A repetition after an error continues with the rest.
//
// Errors: account.ErrNoSuchAccount, account.ErrDisabled, ErrNotLate, ErrSeveralOwners, ErrMoreLate, ErrNotAll,
// those of package store; store.ErrCorrupt, store.ErrNotFound: the content of a message cannot be
// read, and the message stays.
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
	in, err := readLateTarget(ctx, l.mail.Local, r.Mailbox, list)
	if err != nil {
		return 0, err
	}
	return l.eachInTime(list, s.Until, func(m LateMessage) error {
		if err := l.handOver(ctx, s, m, r, in); err != nil {
			return fmt.Errorf("task: hand message %s over to %s: %w", m.Message.ID, to, err)
		}
		return nil
	})
}

// eachInTime calls do with messages until an error, and returns the number of calls without one. Errors: ErrMoreLate
// after until; the error of do.
func (l *Late) eachInTime(list []LateMessage, until time.Time, do func(LateMessage) error) (n int, err error) {
	for n, m := range list {
		if n > 0 && !until.IsZero() && !l.now().Before(until) {
			return n, ErrMoreLate
		}
		if err := do(m); err != nil {
			return n, err
		}
	}
	return len(list), nil
}

func (l *Late) handOver(ctx context.Context, s LateSelection, m LateMessage, to mail.Recipient, in *lateTarget) error {
	there, uidl, err := in.find(ctx, m.Message)
	if err != nil {
		return err
	}
	if !there {
		moved := func(ctx context.Context) bool { return mayBeGone(ctx, l.mail, m.Mailbox, m.Message.ID) }
		source := m.Message
		source.UIDL = uidl
		copied, err := l.copy(ctx, source, to, moved)
		if err != nil {
			return err
		}
		if s.Arrived != nil {
			s.Arrived(copied, to)
		}
	}
	return l.remove(ctx, s, m)
}

// Drop removes late mail permanently, and returns the number of messages removed.
//
// Errors: ErrNotLate, ErrSeveralOwners, ErrMoreLate, ErrNotAll, those of package store.
func (l *Late) Drop(ctx context.Context, s LateSelection) (n int, err error) {
	list, err := l.selected(ctx, s)
	if err != nil {
		return 0, err
	}
	return l.eachInTime(list, s.Until, func(m LateMessage) error { return l.remove(ctx, s, m) })
}

// remove removes a message from the mailbox of its ended account.
func (l *Late) remove(ctx context.Context, s LateSelection, m LateMessage) error {
	doubt := ""
	err := l.mail.Local.RemoveMessages(ctx, m.Mailbox, []mail.MessageID{m.Message.ID})
	if err != nil {
		doubt = event.CauseRemovalDoubt
	}
	if s.Left != nil {
		s.Left(m, doubt)
	}
	if err != nil {
		return fmt.Errorf("task: remove late message %s of mailbox %s: %w", m.Message.ID, m.Mailbox, err)
	}
	return nil
}
