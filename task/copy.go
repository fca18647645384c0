package task

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"popelago/mail"
	"popelago/store"
)

// copier copies messages to new ids, at the end of a mailbox.
type copier struct {
	mail store.Levels[store.Mail]
	ids  *mail.IDSource
	now  func() time.Time
}

// newCopier makes a copier. ids and now may be nil.
func newCopier(st store.Levels[store.Mail], ids *mail.IDSource, now func() time.Time) copier {
	if now == nil {
		now = time.Now
	}
	if ids == nil {
		ids = mail.NewIDSource(now)
	}
	return copier{mail: st, ids: ids, now: now}
}

// copy stores a copy of a message for a recipient, under a new id, and returns the row of the copy. The
// copy keeps the unique-id and the octets. A nil error means that all octets were copied, as durably as
// the recipient's domain requires.
//
// moved reports whether somebody may have taken the copy for complete, and removed the original; nil: nobody does.
//
// Errors: those of package store; errSource, with the cause, if the content of the message cannot be
// read now.
func (c copier) copy(ctx context.Context, m mail.Message, to mail.Recipient, moved func(context.Context) bool) (mail.Message, error) {
	info, body, err := c.mail.Local.OpenContent(ctx, m.ID, m.Origin)
	if err != nil {
		return mail.Message{}, fmt.Errorf("%w: %w", errSource, err)
	}
	defer body.Close()
	content, err := copyContent(ctx, c.mail.Local, info, body)
	if err != nil {
		return mail.Message{}, err
	}
	defer content.Discard()
	id, err := store.NextID(ctx, c.mail.Local, c.ids)
	if err != nil {
		return mail.Message{}, err
	}
	anew := copyOf(m, id, info)
	_, err = c.mail.Durably(to.Durability, func(st store.Mail) error {
		return st.PutContent(ctx, anew.ID, content, store.ContentInfo{ReversePath: info.ReversePath, Mailboxes: []mail.MailboxID{to.Mailbox}})
	})
	if err != nil {
		return mail.Message{}, err
	}
	if err := c.inTime(ctx, anew.ID); err != nil {
		return mail.Message{}, err
	}
	entry := store.Entry{Mailbox: to.Mailbox, Message: anew, Bulk: to.Bulk}
	_, err = c.mail.Durably(to.Durability, func(st store.Mail) error { return st.AddMessages(ctx, []store.Entry{entry})[0] })
	if err == nil {
		err = c.inTime(ctx, anew.ID)
	}
	if err != nil {
		undo := context.WithoutCancel(ctx)
		if moved != nil && moved(undo) {
			return mail.Message{}, err
		}
		// The row may exist, or appear later: remove it.
		return mail.Message{}, errors.Join(err, c.mail.Local.RemoveMessages(undo, to.Mailbox, []mail.MessageID{anew.ID}))
	}
	return anew, nil
}

// mayBeGone reports whether a mailbox may lack a message, here or according to any datacenter. Before a copy whose outcome
// is unknown is removed again, mayBeGone tells whether another server may have found the copy and removed the original. A
// datacenter that does not answer may have seen the removal: two copies are listed once, and none is a loss.
func mayBeGone(ctx context.Context, st store.Levels[store.Mail], mailbox mail.MailboxID, id mail.MessageID) bool {
	for _, level := range []store.Mail{st.Local, st.Each} {
		if _, err := level.Message(ctx, mailbox, id); err != nil {
			return true
		}
	}
	return false
}

// inTime compares the id of a copy with a clock that can be trusted, before and after the row is written.
// Background work may treat the content of a late row as left over. Errors: store.ErrTooOld, store.ErrClock.
func (c copier) inTime(ctx context.Context, id mail.MessageID) error {
	return store.CheckID(ctx, c.mail.Local, id, c.now(), store.MaxIDAge, mail.MaxIDAhead)
}

// errSource: the content of the message to be copied cannot be read.
var errSource = errors.New("task: read the content")

// copyContent copies an opened content to a new content, which the caller ends with PutContent or
// Discard. Errors: those of package store; store.ErrCorrupt if the size of body differs from info;
// errSource if body cannot be read.
func copyContent(ctx context.Context, st store.Contents, info store.ContentInfo, body io.Reader) (store.Content, error) {
	content, err := st.NewContent(ctx)
	if err != nil {
		return nil, err
	}
	source := &sourceReader{Reader: body}
	n, err := io.Copy(content, source)
	switch {
	case err != nil && source.failed:
		err = fmt.Errorf("%w: %w", errSource, err)
	case err == nil && n != info.Size:
		err = fmt.Errorf("%w: %d octets instead of %d: %w", errSource, n, info.Size, store.ErrCorrupt)
	}
	if err != nil {
		content.Discard()
		return nil, err
	}
	return content, nil
}

// sourceReader notes whether its reader has failed.
type sourceReader struct {
	io.Reader
	failed bool
}

// Read implements io.Reader.
func (r *sourceReader) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	r.failed = r.failed || err != nil && err != io.EOF
	return n, err
}

// copyOf returns the row of a copy of m under a new id: with all fields of m but the place of its
// acceptance. The copy keeps the unique-id. info describes the content.
func copyOf(m mail.Message, id mail.MessageID, info store.ContentInfo) mail.Message {
	anew := m
	anew.ID, anew.UIDL, anew.Origin = id, m.UniqueID(), ""
	anew.Size = info.Size + int64(len(anew.Header(info.ReversePath)))
	return anew
}
