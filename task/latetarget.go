package task

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"

	"popelago/mail"
	"popelago/store"
)

// lateTarget holds the messages of a maildrop that may be copies of late mail, from a hand-over that stopped half way.
type lateTarget struct {
	mail    store.Mail
	mailbox mail.MailboxID
	rows    map[mail.UIDL][]mail.Message // with a unique-id that a copy may have
}

// readLateTarget reads the list of a mailbox once for all messages to be handed over. Errors: those of package store.
func readLateTarget(ctx context.Context, st store.Mail, mailbox mail.MailboxID, list []LateMessage) (*lateTarget, error) {
	t := &lateTarget{mail: st, mailbox: mailbox, rows: make(map[mail.UIDL][]mail.Message, len(list))}
	for _, m := range list {
		for _, u := range copyUIDLs(m.Message) {
			t.rows[u] = nil
		}
	}
	err := eachBehind(ctx, st, mailbox, mail.MessageID{}, func(row mail.Message) error {
		u := row.UniqueID()
		if rows, wanted := t.rows[u]; wanted {
			t.rows[u] = append(rows, row)
		}
		return nil
	})
	return t, err
}

// copyUIDLs lists the unique-ids that a copy of a late message may have: the unique-id of the message, or, if a
// different message has it, the unique-id that the id of the message gives. No different message has the latter.
func copyUIDLs(m mail.Message) []mail.UIDL {
	if own := m.ID.UIDL(); own != m.UniqueID() {
		return []mail.UIDL{m.UniqueID(), own}
	}
	return []mail.UIDL{m.UniqueID()}
}

// find reports whether the mailbox contains a whole copy of a late message. If not, uidl is the unique-id for a copy.
func (t *lateTarget) find(ctx context.Context, m mail.Message) (there bool, uidl mail.UIDL, err error) {
	uidl = m.UniqueID()
	for _, u := range copyUIDLs(m) {
		for _, row := range t.rows[u] {
			likeness, err := t.compare(ctx, row, m)
			if err != nil {
				return false, "", err
			}
			if likeness == aCopy {
				// The list is from the begin of the hand-over. The other server of the copy may have removed it since.
				switch _, err := t.mail.Message(ctx, t.mailbox, row.ID); {
				case err == nil:
					return true, "", nil
				case !errors.Is(err, store.ErrNotFound):
					return false, "", err
				}
			}
			if likeness == different && row.UniqueID() == m.UniqueID() {
				uidl = m.ID.UIDL()
			}
		}
	}
	return false, uidl, nil
}

// likeness is how a row compares with a late message with the same unique-id.
type likeness int

const (
	different likeness = iota // another message
	torn                      // a copy without its whole content
	aCopy                     // a copy
)

// compare compares all octets of a row with a late message. A server that stopped in the middle may have written the
// row of a copy too late, when the content had been removed as left over. Errors: errSource, with the cause, if the
// content of the late message cannot be read; those of package store.
func (t *lateTarget) compare(ctx context.Context, row, m mail.Message) (likeness, error) {
	if row.Recipient != m.Recipient || row.Original != m.Original {
		return different, nil
	}
	info, body, err := t.mail.OpenContent(ctx, row.ID, row.Origin)
	if err != nil {
		return tornIf(err)
	}
	defer body.Close()
	if info.Size+int64(len(row.Header(info.ReversePath))) != row.Size {
		return torn, nil
	}
	wanted, source, err := t.mail.OpenContent(ctx, m.ID, m.Origin)
	if err != nil {
		return different, fmt.Errorf("%w: %w", errSource, err)
	}
	defer source.Close()
	if info.Size != wanted.Size || info.ReversePath != wanted.ReversePath {
		return different, nil
	}
	return compareOctets(body, source)
}

// tornIf judges a copy whose content cannot be read. Errors: any but store.ErrNotFound and store.ErrCorrupt.
func tornIf(err error) (likeness, error) {
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrCorrupt) {
		return torn, nil
	}
	return different, err
}

// compareOctets compares a copy with its source up to the end of both. Errors: as of compare.
func compareOctets(body, source io.Reader) (likeness, error) {
	var of, to [32 << 10]byte
	for {
		n, err := io.ReadFull(body, of[:])
		if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
			return tornIf(err)
		}
		k, sourceErr := io.ReadFull(source, to[:])
		if sourceErr != nil && sourceErr != io.EOF && sourceErr != io.ErrUnexpectedEOF {
			return different, fmt.Errorf("%w: %w", errSource, sourceErr)
		}
		switch {
		case !bytes.Equal(of[:n], to[:k]):
			return different, nil
		case err != nil: // the end of both
			return aCopy, nil
		}
	}
}
