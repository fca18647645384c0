package account

import (
	"context"
	"errors"
	"time"

	"popelago/store"
)

// UnreadParts is the error beside a list that lacks parts of the directory that cannot be read. The list holds what was read: an
// address that the list lacks may exist.
type UnreadParts struct {
	// Names of the parts, see store.UnreadPart.Name.
	Names []string
	first error
}

// Error implements error.
func (u *UnreadParts) Error() string { return u.first.Error() }

// Unwrap returns the error of the first part.
func (u *UnreadParts) Unwrap() error { return u.first }

// unreadTime is the time from which on a list ends at the next part that cannot be read: each part may wait for nodes that do not
// answer.
const unreadTime = 10 * time.Second

// listing is a list that goes on behind parts that cannot be read.
type listing struct {
	now    func() time.Time
	began  time.Time
	unread UnreadParts
}

func (d *Directory) newListing() *listing { return &listing{now: d.cfg.Now, began: d.cfg.Now()} }

// note notes the result of a part. late is the position behind a part that took the time of the list; empty: the list goes on. The
// list ends at an error with another cause than replicas that do not answer.
func (l *listing) note(ctx context.Context, err error) (late string, _ error) {
	part := new(store.UnreadPart)
	switch {
	case err == nil:
		return "", nil
	case ctx.Err() != nil, !store.Unreached(err), !errors.As(err, &part):
		return "", err
	}
	if l.unread.first == nil {
		l.unread.first = err
	}
	l.unread.Names = append(l.unread.Names, part.Name)
	if l.now().Sub(l.began) >= unreadTime {
		return part.Next, nil
	}
	return "", nil
}

// err returns the error beside the list.
func (l *listing) err() error {
	if l.unread.first == nil {
		return nil
	}
	return &l.unread
}
